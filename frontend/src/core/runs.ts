import type { Theme } from "./colour";
import type { Run } from "./types";

/** TensorBoard's own colours of runs, in the order in which it gives them out. */
const TENSORBOARD_COLOURS = ["#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"] as const;
/** Takes the place of the first one on a dark ground. */
const SLATE_ON_DARK = "#8e98a3";

/** The colour TensorBoard gives a run, by the run's place among all runs of the log directory. */
export function runColour(place: number, theme: Theme): string {
  const index = Math.max(0, place) % TENSORBOARD_COLOURS.length;
  return index === 0 && theme === "dark" ? SLATE_ON_DARK : (TENSORBOARD_COLOURS[index] ?? TENSORBOARD_COLOURS[0]);
}

/** Runs that can be told apart in one picture. */
export const MOST_RUNS = 6;

/** Dashes by the place of a run in a picture, in pixels, so that colour is not all that tells runs apart. */
const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2], [1, 2]];

export function runDash(place: number): readonly number[] {
  return DASHES[place % DASHES.length] ?? [];
}

/** What TensorBoard's own tabs have chosen, as far as the address tells. */
export interface HostSelection {
  /** Runs by whether they are ticked in the Scalars tab and its like. */
  readonly ticked: Readonly<Record<string, boolean>>;
  /** Pattern that runs must match, "" for all. */
  readonly pattern: string;
}

/** Names of the runs that TensorBoard's own tabs show; null when the address does not restrict them. */
export function selectedRuns(runs: readonly Run[], { ticked, pattern }: HostSelection): string[] | null {
  const matches = matcher(pattern);
  const isRestricted = matches !== null || Object.values(ticked).some((isOn) => !isOn);
  if (!isRestricted) return null;
  return runs
    .map(({ name }) => name)
    .filter((name) => ticked[name] !== false && (matches === null || matches.test(name)));
}

/** Null for no pattern, and for one that is none. */
function matcher(pattern: string): RegExp | null {
  if (pattern === "") return null;
  try {
    return new RegExp(pattern);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The run asked for; else the newest of the selected that can be read; else any. */
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

/** The runs beside the main one: those asked for, else the others TensorBoard shows; only what can be read. */
export function pickOthers(
  runs: readonly Run[],
  main: Run | null,
  asked: readonly string[] | undefined,
  selected: readonly string[] | null,
): Run[] {
  const names = asked ?? selected ?? [];
  return runs
    .filter((run) => run.readable && run.name !== main?.name && names.includes(run.name))
    .slice(0, MOST_RUNS - 1);
}
