import { betterDirection } from "./metrics";
import { type HealthState, urgency } from "./severity";
import type { Run } from "./types";

/** A column of the table of runs: one of these, or the name of a metric with "=" before it. */
export type RunColumn = "run" | "verdict" | "layer" | "since" | "step" | "time" | `=${string}`;

export interface RunOrder {
  readonly column: RunColumn;
  readonly isDescending: boolean;
}

/** Worst first, the newest first among equal ones. */
export const USUAL_ORDER: RunOrder = { column: "verdict", isDescending: true };

const COLUMNS: readonly string[] = ["run", "verdict", "layer", "since", "step", "time"];

export function readOrder(text: string | undefined): RunOrder {
  const isDescending = text?.startsWith("-") === true;
  const column = isDescending ? text?.slice(1) : text;
  if (column === undefined || !(COLUMNS.includes(column) || /^=./.test(column))) return USUAL_ORDER;
  return { column: column as RunColumn, isDescending };
}

/** Undefined for the usual order. */
export function writeOrder({ column, isDescending }: RunOrder): string | undefined {
  const text = `${isDescending ? "-" : ""}${column}`;
  return text === "-verdict" ? undefined : text;
}

/** The order after a click on the head of a column: the most useful direction first, then the other one. */
export function clickedOrder(order: RunOrder, column: RunColumn): RunOrder {
  if (order.column === column) return { column, isDescending: !order.isDescending };
  const isHighFirst = column.startsWith("=") && betterDirection(column.slice(1)) === "higher";
  return { column, isDescending: isHighFirst || column === "verdict" || column === "step" || column === "time" };
}

export function runState(run: Run): HealthState {
  if (!run.readable) return "error";
  if (run.severity !== null) return run.severity;
  return /^[5-]*$/.test(run.health) ? "insufficient_data" : "ok";
}

type SortKey = string | number | null;

function keyOf(run: Run, column: RunColumn): SortKey {
  switch (column) {
    case "run":
      return run.name;
    case "verdict":
      // Of equally severe runs, the one with more layers affected is worse.
      return -urgency(runState(run)) + run.layers_affected / (run.layers + 1);
    case "layer":
      return run.layer === "" ? null : run.layer;
    case "since":
      return run.since_step;
    case "step":
      return run.records === 0 ? null : run.last_step;
    case "time":
      return run.records === 0 ? null : run.last_time;
    default:
      return run.metrics[column.slice(1)] ?? null;
  }
}

const NATURAL = new Intl.Collator("en", { numeric: true });

function compare(a: string | number, b: string | number): number {
  return typeof a === "number" && typeof b === "number" ? a - b : NATURAL.compare(String(a), String(b));
}

/** Runs without a value come last in both directions; equal ones newest first. */
export function sortRuns(runs: readonly Run[], { column, isDescending }: RunOrder): Run[] {
  const keyed = runs.map((run) => ({ run, key: keyOf(run, column) }));
  return keyed
    .sort((a, b) => {
      if (a.key === null || b.key === null) return Number(a.key === null) - Number(b.key === null);
      return (isDescending ? -1 : 1) * compare(a.key, b.key) || b.run.start_time - a.run.start_time;
    })
    .map(({ run }) => run);
}

export interface Filtered {
  readonly runs: readonly Run[];
  /** What is wrong with the pattern; "" for a valid one. */
  readonly problem: string;
}

/** Runs whose name matches a regular expression, ignoring case; all for an invalid one. */
export function filterRuns(runs: readonly Run[], pattern: string): Filtered {
  if (pattern === "") return { runs, problem: "" };
  try {
    const matches = new RegExp(pattern, "i");
    return { runs: runs.filter(({ name }) => matches.test(name)), problem: "" };
  } catch (error) {
    if (error instanceof SyntaxError) return { runs, problem: "This is not a regular expression." };
    throw error;
  }
}

/** How many runs are sick: "5 of 17 runs need attention". */
export function sweepSentence(runs: readonly Run[]): string {
  const count = (state: HealthState) => runs.filter((run) => runState(run) === state).length;
  const sick = count("problem") + count("warning");
  const needs = sick === 1 ? "needs" : "need";
  const first = sick === 0 ? "No problems found in" : `${sick} of`;
  const unjudged = count("insufficient_data");
  const parts = [`${first} ${runs.length} runs${sick === 0 ? "" : ` ${needs} attention`}`];
  if (unjudged > 0) parts.push(`${unjudged} without enough data`);
  if (count("error") > 0) parts.push(`${count("error")} unreadable`);
  return `${parts.join(", ")}.`;
}

/** Parts of the health over time with equal codes: first column, number of columns, code. */
export function stretches(health: string): { readonly from: number; readonly length: number; readonly code: string }[] {
  return [...health.matchAll(/(.)\1*/g)].map((match) => ({
    from: match.index,
    length: match[0].length,
    code: match[1] ?? "",
  }));
}
