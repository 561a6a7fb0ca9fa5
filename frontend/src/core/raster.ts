import type { StepAxis } from "./axis";
import type { Cell } from "./coverage";
import { worseCode } from "./severity";

/** Which recorded steps each column of pixels shows: from `start` up to, not including, `end`; none in a gap. */
export interface PixelColumns {
  readonly start: Int32Array;
  readonly end: Int32Array;
}

/** Assigns recorded steps to `width` columns of pixels; every step on the axis has at least one column. */
export function pixelColumns(axis: StepAxis, width: number): PixelColumns {
  const start = new Int32Array(width).fill(-1);
  const end = new Int32Array(width).fill(-1);
  const columnOf = (step: number) => Math.round(axis.position(step) * width);
  axis.cells.forEach((cell, index) => {
    if (!axis.meets(cell)) return;
    const least = isIsolated(axis.cells, index) ? LEAST_COLUMNS : 1;
    const first = Math.max(0, Math.min(width - least, columnOf(cell.from)));
    const past = Math.min(width, Math.max(columnOf(cell.to), first + least));
    for (let column = first; column < past; column++) {
      if ((start[column] ?? -1) < 0) start[column] = index;
      end[column] = index + 1;
    }
  });
  return { start, end };
}

/** Of a record between two gaps, which would be overlooked otherwise. */
const LEAST_COLUMNS = 3;

function isIsolated(cells: readonly Cell[], index: number): boolean {
  const [before, own, after] = [cells[index - 1], cells[index], cells[index + 1]];
  return (before === undefined || before.to !== own?.from) && (after === undefined || after.from !== own?.to);
}

/** Chooses between two values that share a pixel. */
export type Reduce = (a: number, b: number) => number;

export const reduceHealth: Reduce = worseCode;

/** Keeps the value farther from zero; numbers win over NaN, infinity over all numbers. */
export const reduceLargest: Reduce = (a, b) => {
  if (Number.isNaN(a)) return b;
  if (Number.isNaN(b)) return a;
  return Math.abs(b) > Math.abs(a) ? b : a;
};

/** Keeps the smaller value, for statistics where small values matter. */
export const reduceSmallest: Reduce = (a, b) => {
  if (Number.isNaN(a)) return b;
  if (Number.isNaN(b)) return a;
  return Math.min(a, b);
};

/** The value of row `row` in each column of pixels, NaN in gaps; `values` is `[rows, steps]`. */
export function rowPixels(
  values: Float32Array,
  stepCount: number,
  row: number,
  columns: PixelColumns,
  reduce: Reduce,
): Float32Array {
  const width = columns.start.length;
  const pixels = new Float32Array(width).fill(Number.NaN);
  for (let column = 0; column < width; column++) {
    const end = Math.min(columns.end[column] ?? 0, stepCount);
    let value = Number.NaN;
    for (let index = Math.max(0, columns.start[column] ?? 0); index < end; index++) {
      value = reduce(value, values[row * stepCount + index] ?? Number.NaN);
    }
    pixels[column] = value;
  }
  return pixels;
}

/** A run of equal pixels in a row. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

/** Merges equal pixels; NaN equals NaN. */
export function stretches(pixels: Float32Array): Stretch[] {
  const merged: Stretch[] = [];
  let from = 0;
  for (let column = 1; column <= pixels.length; column++) {
    const value = pixels[from] ?? Number.NaN;
    if (column < pixels.length && Object.is(pixels[column], value)) continue;
    merged.push({ from, to: column, value });
    from = column;
  }
  return merged;
}

/** Some rows of `[rows, steps]`, in the given order; the same array if nothing changes. */
export function pickRows(values: Float32Array, stepCount: number, rows: readonly number[]): Float32Array {
  if (rows.length * stepCount === values.length && rows.every((row, index) => row === index)) return values;
  const picked = new Float32Array(rows.length * stepCount);
  rows.forEach((row, index) => {
    picked.set(values.subarray(row * stepCount, (row + 1) * stepCount), index * stepCount);
  });
  return picked;
}
