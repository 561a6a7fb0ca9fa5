import { PALETTES, standingOut, type Theme } from "./color";
import type { Run } from "./types";

/** TensorBoard's colors of runs, in the order in which it assigns them. */
const TENSORBOARD_COLORS = ["#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"] as const;
/** Replaces the first one in the dark theme. */
const SLATE_ON_DARK = "#8e98a3";

/**
 * The color that TensorBoard assigns to a run, by its position among all runs of the log directory; darker or lighter
 * where it would hardly be visible as a line.
 */
export function runColor(place: number, theme: Theme): string {
  const index = Math.max(0, place) % TENSORBOARD_COLORS.length;
  const color = index === 0 && theme === "dark" ? SLATE_ON_DARK : (TENSORBOARD_COLORS[index] ?? TENSORBOARD_COLORS[0]);
  return standingOut(color, PALETTES[theme].surface);
}

/** Runs that one chart can distinguish. */
export const MOST_RUNS = 6;

/** Dashes in pixels by the position of a run in a chart, so that color is not the only difference. */
const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2], [1, 2]];

export function runDash(place: number): readonly number[] {
  return DASHES[place % DASHES.length] ?? [];
}

/** The selection in TensorBoard's own tabs, as far as the address holds it. */
export interface HostSelection {
  /** Whether each run is checked in the Scalars tab and similar ones. */
  readonly ticked: Readonly<Record<string, boolean>>;
  /** Pattern that runs must match; "" for all. */
  readonly pattern: string;
}

/** Names of the runs that TensorBoard's own tabs show; null if the address does not restrict them. */
export function selectedRuns(runs: readonly Run[], { ticked, pattern }: HostSelection): string[] | null {
  const matches = matcher(pattern);
  const isRestricted = matches !== null || Object.values(ticked).some((isOn) => !isOn);
  if (!isRestricted) return null;
  return runs
    .map(({ name }) => name)
    .filter((name) => ticked[name] !== false && (matches === null || matches.test(name)));
}

/** Null without a pattern and for an invalid one. */
function matcher(pattern: string): RegExp | null {
  if (pattern === "") return null;
  try {
    return new RegExp(pattern);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The requested run; else the newest readable one among the selected; else any. */
export function pickRun(
  runs: readonly Run[],
  name: string | undefined,
  selected: readonly string[] | null,
): Run | null {
  const asked = runs.find((run) => run.name === name);
  if (asked !== undefined) return asked;
  const wanted = selected === null ? runs : runs.filter((run) => selected.includes(run.name));
  return wanted.findLast((run) => run.readable) ?? runs.findLast((run) => run.readable) ?? runs[0] ?? null;
}

/** The requested runs to compare; only readable ones. */
export function pickOthers(runs: readonly Run[], main: Run | null, names: readonly string[]): Run[] {
  return runs
    .filter((run) => run.readable && run.name !== main?.name && names.includes(run.name))
    .slice(0, MOST_RUNS - 1);
}
