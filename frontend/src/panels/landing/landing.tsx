import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { formatCount, plural } from "../../core/format";
import { clickedOrder, filterRuns, type RunColumn, sortRuns, sweepSentence } from "../../core/landing";
import { shownMetrics } from "../../core/metrics";
import { MOST_RUNS } from "../../core/runs";
import type { Run } from "../../core/types";
import type { Store } from "../../state/store";
import { RunRow, type RunRowStore } from "./run_row";

type LandingStore = RunRowStore & Pick<Store, "filterRuns" | "orderRuns" | "runOrder" | "runPattern" | "selected">;

/** Rows at first, and with each request for more. */
const ROWS = 250;
/** Age of a record is shown to the minute, so the table need not follow every second. */
const SECONDS = 30;

interface Column {
  readonly id: RunColumn;
  readonly word: string;
}

const LEADING: readonly Column[] = [
  { id: "run", word: "Run" },
  { id: "verdict", word: "Verdict" },
  { id: "layer", word: "Start with" },
  { id: "since", word: "Since step" },
];
const TRAILING: readonly Column[] = [
  { id: "step", word: "Last step" },
  { id: "time", word: "Recorded" },
];

/** All runs: which are sick, of what, since when, and how well they train. */
export function Landing({ store, runs }: { readonly store: LandingStore; readonly runs: readonly Run[] }) {
  const isUnrestricted = useSignal(false);
  const rows = useSignal(ROWS);
  const selected = store.selected.value;
  const pattern = store.runPattern.value;
  const order = store.runOrder.value;
  // The pattern of TensorBoard's own tabs can be edited here, their check marks cannot.
  const listed = useMemo(
    () => (selected === null || isUnrestricted.value || pattern !== "" ? runs : runs.filter(isIn(selected))),
    [runs, selected, isUnrestricted.value, pattern],
  );
  const filtered = useMemo(() => filterRuns(listed, pattern), [listed, pattern]);
  const sorted = useMemo(() => sortRuns(filtered.runs, order), [filtered, order]);
  const metrics = useMemo(() => shownMetrics(runs), [runs]);
  const shown = sorted.slice(0, rows.value);
  const now = Math.floor(store.now.value / SECONDS) * SECONDS;
  return (
    <section class="landing" aria-labelledby="landing-title">
      <h1 id="landing-title">{sweepSentence(runs)}</h1>
      <Toolbar store={store} problem={filtered.problem} count={sorted.length} total={runs.length} />
      {listed.length < runs.length && (
        <p class="message">
          {plural(runs.length - listed.length, "run")} unchecked in TensorBoard’s own list{" "}
          {runs.length - listed.length === 1 ? "is" : "are"} hidden.{" "}
          <button
            type="button"
            class="quiet"
            onClick={() => {
              isUnrestricted.value = true;
            }}
          >
            Show all runs
          </button>
        </p>
      )}
      <Rows store={store} shown={shown} metrics={metrics} now={now} />
      {shown.length < sorted.length && (
        <button
          type="button"
          onClick={() => {
            rows.value += ROWS;
          }}
        >
          Show more ({formatCount(sorted.length - shown.length)} left)
        </button>
      )}
    </section>
  );
}

function isIn(names: readonly string[]) {
  const known = new Set(names);
  return ({ name }: Run) => known.has(name);
}

interface ToolbarProps {
  readonly store: LandingStore;
  /** What is wrong with the pattern; "" for nothing. */
  readonly problem: string;
  readonly count: number;
  readonly total: number;
}

function Toolbar({ store, problem, count, total }: ToolbarProps) {
  const marked = store.marked.value;
  const pattern = store.runPattern.value;
  return (
    <div class="bar landing-bar">
      <label class="field">
        <span class="only-read">Filter runs by a regular expression</span>
        <input
          id="run-filter"
          type="search"
          placeholder="Filter runs (regex)"
          value={pattern}
          aria-invalid={problem !== ""}
          onInput={(event) => store.filterRuns(event.currentTarget.value)}
        />
      </label>
      <span class="facts" role="status">
        {problem !== "" ? problem : pattern === "" ? "" : `${formatCount(count)} of ${plural(total, "run")} match`}
      </span>
      <div class="bar-end">
        {marked.length > 0 && (
          <button type="button" class="quiet" onClick={() => store.markRuns([])}>
            Clear selection
          </button>
        )}
        <button type="button" disabled={marked.length < 2} onClick={() => store.openRuns(marked)}>
          {marked.length < 2 ? "Select runs to compare" : `Compare ${marked.length} runs`}
        </button>
        {marked.length >= MOST_RUNS && <span class="facts">at most {MOST_RUNS}</span>}
      </div>
    </div>
  );
}

interface RowsProps {
  readonly store: LandingStore;
  readonly shown: readonly Run[];
  readonly metrics: readonly string[];
  readonly now: number;
}

function Rows({ store, shown, metrics, now }: RowsProps) {
  const heads = [...LEADING, ...metrics.map((name): Column => ({ id: `=${name}`, word: name })), ...TRAILING];
  return (
    <table class="landing-table">
      <caption class="only-read">Runs</caption>
      <thead>
        <tr>
          <th scope="col">
            <span class="only-read">Compare</span>
          </th>
          {heads.map(({ id, word }) => (
            <SortHead key={id} store={store} column={id} word={word} />
          ))}
        </tr>
      </thead>
      <tbody onKeyDown={moveBetweenRuns}>
        {shown.map((run) => (
          <RunRow key={run.name} store={store} run={run} metrics={metrics} now={now} />
        ))}
      </tbody>
    </table>
  );
}

interface SortHeadProps {
  readonly store: LandingStore;
  readonly column: RunColumn;
  readonly word: string;
}

function SortHead({ store, column, word }: SortHeadProps) {
  const order = store.runOrder.value;
  const isSorted = order.column === column;
  const isNumber = column.startsWith("=") || column === "since" || column === "step" || column === "time";
  return (
    <th
      scope="col"
      class={isNumber ? "number" : undefined}
      aria-sort={isSorted ? (order.isDescending ? "descending" : "ascending") : "none"}
    >
      <button type="button" class="sort" onClick={() => store.orderRuns(clickedOrder(order, column))}>
        {word}
        <span aria-hidden="true">{isSorted ? (order.isDescending ? " \u25be" : " \u25b4") : ""}</span>
      </button>
    </th>
  );
}

/** Arrow keys, Home and End go from run to run. */
function moveBetweenRuns(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof HTMLAnchorElement)) return;
  const links = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLAnchorElement>("a.run-link")];
  const current = links.indexOf(event.target);
  const target = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: links.length - 1 }[event.key];
  if (target === undefined) return;
  event.preventDefault();
  links[target]?.focus();
}
