import { formatCount } from "./format";
import { unreachable } from "./severity";
import type { LifeState, UnitLife } from "./types";

/** Sickest first; the order of the life map's rows. */
export const LIFE_STATES: readonly LifeState[] = ["born_dead", "died", "revived", "alive", "unknown"];

export function lifeWord(state: LifeState): string {
  switch (state) {
    case "born_dead":
      return "born dead";
    case "died":
      return "died";
    case "revived":
      return "revived";
    case "alive":
      return "alive";
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

/** "64 units: 12 born dead, 3 died, 49 alive." */
export function livesSentence(lives: readonly UnitLife[]): string {
  const counts = countLives(lives);
  const told = LIFE_STATES.filter((state) => counts[state] > 0).map(
    (state) => `${formatCount(counts[state])} ${lifeWord(state)}`,
  );
  const total = `${formatCount(lives.length)} ${lives.length === 1 ? "unit" : "units"}`;
  return told.length === 0 ? `${total}.` : `${total}: ${told.join(", ")}.`;
}

/** Positions of the units in `lives`: by state, then by the step since when, then by number. */
export function lifeOrder(lives: readonly UnitLife[]): number[] {
  const never = Number.POSITIVE_INFINITY;
  return lives
    .map((_, index) => index)
    .sort((a, b) => {
      const left = lives[a];
      const right = lives[b];
      if (left === undefined || right === undefined) return 0;
      return (
        LIFE_STATES.indexOf(left.state) - LIFE_STATES.indexOf(right.state) ||
        compare(left.since_step ?? never, right.since_step ?? never) ||
        left.unit - right.unit
      );
    });
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
