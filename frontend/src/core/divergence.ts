import type { Frame, MatrixHeader } from "./frame";
import { indexOfStep } from "./scale";

/** The layer in which another run diverges first. */
export interface Divergence {
  readonly layer: string;
  /** Of the baseline run. */
  readonly step: number;
  readonly value: number;
  readonly other: number;
}

/** Values have diverged if they differ by more than this fraction of the larger one. */
export const APART = 0.5;
/** Consecutive recorded steps that a divergence must last, so that a noisy batch is none. */
export const LASTING = 5;

/**
 * The first step from which a statistic of some layer differs by more than half of the larger value, for at least five
 * consecutive recorded steps or until the end. If several layers diverge at that step, the first in call order counts.
 * Null without divergence. Each step is compared with the latest step up to it in the other run. Steps that only one run
 * reached and layers that only one run has are ignored.
 */
export function firstDivergence(run: Frame<MatrixHeader>, other: Frame<MatrixHeader>): Divergence | null {
  const { steps, layers } = run.header;
  const others = other.header.steps;
  const columns = pairedColumns(steps, others);
  let first: Divergence | null = null;
  let before = columns.length;
  for (const [row, layer] of layers.entries()) {
    const otherRow = other.header.layers.indexOf(layer);
    if (otherRow < 0) continue;
    const valueAt = (pair: number) => run.data[row * steps.length + (columns[pair]?.[0] ?? 0)] ?? Number.NaN;
    const otherAt = (pair: number) => other.data[otherRow * others.length + (columns[pair]?.[1] ?? 0)] ?? Number.NaN;
    const gap = firstGap(columns.length, (pair) => isApart(valueAt(pair), otherAt(pair)));
    const step = steps[columns[gap]?.[0] ?? -1];
    if (gap < 0 || gap >= before || step === undefined) continue;
    before = gap;
    first = { layer, step, value: valueAt(gap), other: otherAt(gap) };
  }
  return first;
}

type Pair = readonly [number, number];

/** Columns of one run with those of the other, over the steps that both reached. */
function pairedColumns(steps: readonly number[], others: readonly number[]): Pair[] {
  const first = others[0] ?? Number.POSITIVE_INFINITY;
  const last = others[others.length - 1] ?? Number.NEGATIVE_INFINITY;
  return steps.flatMap((step, column): Pair[] =>
    step < first || step > last ? [] : [[column, indexOfStep(others, step)]],
  );
}

/** The first pair of a lasting gap, -1 without one. */
function firstGap(count: number, isGap: (pair: number) => boolean): number {
  let length = 0;
  for (let pair = 0; pair < count; pair++) {
    length = isGap(pair) ? length + 1 : 0;
    if (length === LASTING) return pair - LASTING + 1;
  }
  return length > 0 && (length > 1 || count === 1) ? count - length : -1;
}

/** A value missing in either run is no difference; a value that is finite in only one run is. */
function isApart(value: number, other: number): boolean {
  if (Number.isNaN(value) || Number.isNaN(other)) return false;
  if (!Number.isFinite(value) || !Number.isFinite(other)) return value !== other;
  return Math.abs(value - other) > APART * Math.max(Math.abs(value), Math.abs(other));
}
