import { formatCount, formatValue, plural } from "./format";
import type { LifeState, UnitLife } from "./types";
import { unreachable } from "./unreachable";

/** Worst first; the order of the rows of the map of units. */
export const LIFE_STATES: readonly LifeState[] = ["born_dead", "died", "revived", "alive", "unknown"];

export function lifeWord(state: LifeState): string {
  switch (state) {
    case "born_dead":
      return "never active";
    case "died":
      return "dead";
    case "revived":
      return "revived";
    case "alive":
      return "active";
    case "unknown":
      return "unknown";
    default:
      return unreachable(state);
  }
}

export type LifeCounts = Readonly<Record<LifeState, number>>;

export function countLives(lives: readonly UnitLife[]): LifeCounts {
  const counts: Record<LifeState, number> = { born_dead: 0, died: 0, revived: 0, alive: 0, unknown: 0 };
  for (const life of lives) counts[life.state] += 1;
  return counts;
}

/** "64 units: 12 never active, 3 dead, 49 active." */
export function livesSentence(lives: readonly UnitLife[], word = "unit"): string {
  const counts = countLives(lives);
  const told = LIFE_STATES.filter((state) => counts[state] > 0).map(
    (state) => `${formatCount(counts[state])} ${lifeWord(state)}`,
  );
  const total = plural(lives.length, word);
  return told.length === 0 ? `${total}.` : `${total}: ${told.join(", ")}.`;
}

/** The state of a unit, with the step of its death or revival. */
export function lifeSentence({ state, since_step }: UnitLife): string {
  const word = lifeWord(state);
  if (since_step === null || since_step < 0) return word;
  if (state === "died") return `${word} since step ${formatCount(since_step)}`;
  return state === "revived" ? `${word} at step ${formatCount(since_step)}` : word;
}

export type LifeOrder = "status" | "lifetime" | "number";

export const LIFE_ORDERS: readonly { readonly id: LifeOrder; readonly word: string }[] = [
  { id: "status", word: "status" },
  { id: "lifetime", word: "lifetime" },
  { id: "number", word: "number" },
];

/** How certain it is that a unit is silent; "" for active units or if the number of samples is unknown. */
export function certainty({ samples, activity_below }: UnitLife): string {
  if (activity_below === null || samples === 0) return "";
  return `: silent on ${formatCount(samples)} samples, so active on less than ${formatValue(activity_below, "share")} (95% confidence)`;
}

/** Positions of the units in `lives`: by state and then lifetime, by lifetime with the shortest first, or by number. */
export function lifeOrder(lives: readonly UnitLife[], by: LifeOrder = "status"): number[] {
  return lives
    .map((_, index) => index)
    .sort((a, b) => {
      const left = lives[a];
      const right = lives[b];
      if (left === undefined || right === undefined) return 0;
      const status = by === "status" ? LIFE_STATES.indexOf(left.state) - LIFE_STATES.indexOf(right.state) : 0;
      const time = by === "number" ? 0 : compare(lifetime(left, by), lifetime(right, by));
      return status || time || left.unit - right.unit;
    });
}

/** The step until which a unit was active; infinite for units that are active now. */
function lifetime({ state, since_step }: UnitLife, by: LifeOrder): number {
  const isDead = state === "died" || state === "born_dead";
  return (by === "status" || isDead ? since_step : null) ?? Number.POSITIVE_INFINITY;
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Turns `[steps, units]` into `[units, steps]` with the units in the given order. */
export function unitRows(activity: Float32Array, stepCount: number, order: readonly number[]): Float32Array {
  const units = order.length;
  const rows = new Float32Array(units * stepCount);
  order.forEach((unit, row) => {
    for (let step = 0; step < stepCount; step++) {
      rows[row * stepCount + step] = activity[step * units + unit] ?? Number.NaN;
    }
  });
  return rows;
}

/** Replaces the activity of a unit that is dead for good; no share of samples is negative. */
export const DEAD = -1;

/** Marks the steps from which on a unit never was active again, so that death does not look like one silent step. */
export function markDeaths(
  rows: Float32Array,
  steps: readonly number[],
  lives: readonly UnitLife[],
  order: readonly number[],
): Float32Array {
  const marked = rows.slice();
  order.forEach((index, row) => {
    const life = lives[index];
    if (life === undefined || (life.state !== "died" && life.state !== "born_dead")) return;
    const since = life.state === "died" ? (life.since_step ?? 0) : Number.NEGATIVE_INFINITY;
    steps.forEach((step, column) => {
      const place = row * steps.length + column;
      if (step >= since && marked[place] === 0) marked[place] = DEAD;
    });
  });
  return marked;
}
