import constants from "../../core/constants.json";
import { formatCount, formatValue, plural } from "../../core/format";
import type { Store } from "../../state/store";
import { ExportMenu } from "../parts/export_menu";
import { Panel } from "../parts/panel";

type CostStore = Pick<Store, "description" | "run">;

interface Fact {
  readonly title: string;
  readonly value: string;
  readonly note: string;
}

/** The monitoring overhead of this run. */
export function CostPanel({ store }: { readonly store: CostStore }) {
  const run = store.run.value;
  const description = store.description.value.value;
  if (run === null || description === null) return null;
  const { cost, cadence } = description;
  const facts: Fact[] = [
    shareOfTime(cost?.overhead ?? Number.NaN, run.last_time - run.start_time, cadence.overhead),
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
  const exporting = (
    <ExportMenu
      subject="monitoring overhead"
      file={[run.name, "overhead"]}
      table={() => ({
        rowTitle: "Quantity",
        columns: [
          { title: "Value", unit: "" },
          { title: "Note", unit: "" },
        ],
        rows: facts.map(({ title, value, note }) => ({ name: title, values: [value, note] })),
      })}
    />
  );
  return (
    <Panel id="cost" title="Monitoring overhead" tools={exporting}>
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

/** The share in a short training says nothing about a long one, so seconds are shown instead. */
function shareOfTime(overhead: number, duration: number, budget: unknown): Fact {
  const share = formatValue(overhead, "share");
  const limit = typeof budget === "number" ? formatValue(budget, "share") : "";
  if (duration < constants.freeSeconds && limit !== "") {
    const note = `of ${formatSeconds(duration)}; after a minute the limit of ${limit} applies`;
    return { title: "Time spent observing", value: formatSeconds(overhead * duration), note };
  }
  return { title: "Share of training time", value: share, note: limit === "" ? "" : `limit ${limit}` };
}

function intervalWords(interval: number): string {
  if (!(interval > 0)) return "unknown";
  return interval === 1 ? "every step" : `every ${formatCount(Math.round(interval))} steps`;
}

function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "unknown";
  return seconds < 1 ? formatValue(seconds * 1000, "ms") : formatValue(seconds, "s");
}
