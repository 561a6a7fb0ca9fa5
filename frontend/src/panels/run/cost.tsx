import { formatCount, formatValue, plural } from "../../core/format";
import type { Store } from "../../state/store";
import { Panel } from "../parts/panel";

type CostStore = Pick<Store, "description" | "run">;

/** The monitoring overhead of this run. */
export function CostPanel({ store }: { readonly store: CostStore }) {
  const run = store.run.value;
  const description = store.description.value.value;
  if (run === null || description === null) return null;
  const { cost, cadence } = description;
  const budget = cadence.overhead;
  const facts = [
    {
      title: "Share of training time",
      value: formatValue(cost?.overhead ?? Number.NaN, "share"),
      note: typeof budget === "number" ? `budget ${formatValue(budget, "share")} for runs longer than a minute` : "",
    },
    {
      title: "Per observed step",
      value: formatSeconds(cost?.observation_seconds ?? Number.NaN),
      note: "in addition to a normal step, including writing",
    },
    {
      title: "Paid once",
      value: formatSeconds(cost?.one_time_seconds ?? Number.NaN),
      note: "to compile the observed step and to draw the first pictures",
    },
    { title: "Records", value: formatCount(run.records), note: `${plural(run.layers, "layer")} each` },
    {
      title: "Sampling interval",
      value: intervalWords(cost?.interval ?? Number.NaN),
      note: cadence.update_freq === undefined ? "" : `update_freq=${JSON.stringify(cadence.update_freq)}`,
    },
  ];
  return (
    <Panel id="cost" title="Monitoring overhead">
      <dl class="facts-grid">
        {facts.map(({ title, value, note }) => (
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
  if (!(interval > 0)) return "unknown";
  return interval === 1 ? "every step" : `every ${formatCount(Math.round(interval))} steps`;
}

function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "unknown";
  return seconds < 1 ? formatValue(seconds * 1000, "ms") : formatValue(seconds, "s");
}
