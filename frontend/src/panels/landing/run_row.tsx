import { HealthStrip } from "../../charts/health_strip";
import { formatAge, formatCount, formatValue } from "../../core/format";
import { runState } from "../../core/landing";
import { MOST_RUNS } from "../../core/runs";
import { stateWord } from "../../core/severity";
import type { Run } from "../../core/types";
import type { Store } from "../../state/store";
import { Shape } from "../parts/badge";

export type RunRowStore = Pick<Store, "colorOf" | "marked" | "markRuns" | "now" | "openRuns" | "runAddress">;

interface RunRowProps {
  readonly store: RunRowStore;
  readonly run: Run;
  readonly metrics: readonly string[];
  /** Seconds since the epoch. */
  readonly now: number;
}

export function RunRow({ store, run, metrics, now }: RunRowProps) {
  const { name } = run;
  return (
    <tr>
      <td class="cell-mark">
        <Mark store={store} run={run} />
      </td>
      <th scope="row" class="cell-run">
        <a
          class="run-link"
          href={store.runAddress(name)}
          target="_top"
          onClick={(event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            store.openRuns([name]);
          }}
        >
          <span class="run-dot" style={{ background: store.colorOf(name) }} />
          <span>{name}</span>
        </a>
        <CompareButton store={store} run={run} />
      </th>
      <td class="cell-verdict">
        <Verdict run={run} />
      </td>
      {run.readable ? <StartWith run={run} /> : <Unreadable run={run} />}
      {metrics.map((metric) => (
        <Metric key={metric} run={run} metric={metric} />
      ))}
      <td class="number" data-label="Last step">
        {run.records > 0 && formatCount(run.last_step)}
      </td>
      <td class="number" data-label="Recorded">
        {run.records > 0 && formatAge(now - run.last_time)}
      </td>
    </tr>
  );
}

function Mark({ store, run }: { readonly store: RunRowStore; readonly run: Run }) {
  const marked = store.marked.value;
  const isOn = marked.includes(run.name);
  const toggle = () => store.markRuns(isOn ? marked.filter((name) => name !== run.name) : [...marked, run.name]);
  return (
    <input
      type="checkbox"
      aria-label={`Compare ${run.name}`}
      checked={isOn}
      disabled={!run.readable || (!isOn && marked.length >= MOST_RUNS)}
      onChange={toggle}
    />
  );
}

/** With a run marked, another one is compared with it by a single click. */
function CompareButton({ store, run }: { readonly store: RunRowStore; readonly run: Run }) {
  const marked = store.marked.value;
  if (!run.readable || marked.length === 0 || marked.length >= MOST_RUNS || marked.includes(run.name)) return null;
  const words = marked.length === 1 ? (marked[0] ?? "") : `${marked.length} runs`;
  return (
    <button
      type="button"
      class="compare"
      aria-label={`Compare ${run.name} with ${words}`}
      onClick={() => store.openRuns([...marked, run.name])}
    >
      Compare
    </button>
  );
}

function Verdict({ run }: { readonly run: Run }) {
  const state = runState(run);
  const hasAffected = run.layers_affected > 0;
  return (
    <div title={run.readable ? run.sentence : run.reason}>
      <span class="cell-state">
        <Shape state={state} isNamed={false} /> <b>{run.readable ? stateWord(state) : "Unreadable"}</b>
        {hasAffected && (
          <small>
            {" "}
            {run.layers_affected} of {run.layers}
            <span class="only-read"> layers</span>
          </small>
        )}
      </span>
      {run.health !== "" && <HealthStrip health={run.health} firstStep={run.first_step} lastStep={run.last_step} />}
    </div>
  );
}

function StartWith({ run }: { readonly run: Run }) {
  return (
    <>
      <td class="cell-start">
        {run.headline !== "" && (
          <>
            {run.layer !== "" && <b>{run.layer}</b>} <span>{run.headline}</span>
          </>
        )}
      </td>
      <td class="number" data-label="Since step">
        {run.since_step !== null && formatCount(run.since_step)}
      </td>
    </>
  );
}

function Unreadable({ run }: { readonly run: Run }) {
  return (
    <td class="cell-start" colSpan={2}>
      {run.reason}
    </td>
  );
}

function Metric({ run, metric }: { readonly run: Run; readonly metric: string }) {
  const value = run.metrics[metric];
  const when =
    run.epoch === null ? `at step ${formatCount(run.last_step)}` : `after epoch ${formatCount(run.epoch + 1)}`;
  return (
    <td class={value === null ? "number not-finite" : "number"} data-label={metric} title={`${metric} ${when}`}>
      {value !== undefined && formatValue(value)}
    </td>
  );
}
