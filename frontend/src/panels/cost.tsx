import { formatCount, formatValue, plural } from "../core/format";
import type { Store } from "../state/store";
import { Panel } from "./panel";

/** What observing this run has cost. */
export function CostPanel({ store }: { readonly store: Store }) {
  const run = store.run.value;
  const description = store.description.value.value;
  if (run === null || description === null) return null;
  const { cost, cadence } = description;
  const budget = cadence.overhead;
  const figures = [
    {
      title: "Share of training time",
      value: formatValue(cost?.overhead ?? Number.NaN, "share"),
      note: typeof budget === "number" ? `budget ${formatValue(budget, "share")} on runs longer than a minute` : "",
    },
    {
      title: "For each observed step",
      value: formatSeconds(cost?.observation_seconds ?? Number.NaN),
      note: "on top of a plain step, writing included",
    },
    { title: "Records", value: formatCount(run.records), note: `${plural(run.layers, "layer")} in each` },
    {
      title: "Cadence at the end",
      value: intervalWords(cost?.interval ?? Number.NaN),
      note: cadence.update_freq === undefined ? "" : `update_freq=${JSON.stringify(cadence.update_freq)}`,
    },
  ];
  return (
    <Panel id="cost" title="What observing has cost">
      <dl class="figures">
        {figures.map(({ title, value, note }) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>
              <b>{value}</b> {note !== "" && <small>{note}</small>}
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function intervalWords(interval: number): string {
  if (!(interval > 0)) return "not known";
  return interval === 1 ? "every step" : `every ${formatCount(Math.round(interval))} steps`;
}

function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "not known";
  return seconds < 1 ? formatValue(seconds * 1000, "ms") : formatValue(seconds, "s");
}
