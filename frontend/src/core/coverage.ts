/** The steps that a record stands for: up to half-way to its neighbors, unless one is unusually far away. */
export interface Cell {
  readonly from: number;
  readonly to: number;
}

/** A distance between records this many times the usual one nearby is a gap. */
const UNUSUAL = 4;
/** Narrower ones, as a share of all steps, are not worth showing. */
const NOTICEABLE = 0.02;
/** Distances on each side that say what is usual. Sampling intervals grow during a training. */
const NEARBY = 4;

/** One cell per recorded step; steps must ascend. What lies between two cells was not recorded. */
export function recordCells(steps: readonly number[]): Cell[] {
  const distances = steps.slice(1).map((step, index) => step - (steps[index] ?? step));
  const usual = distances.map((_, index) => median(distances.slice(Math.max(0, index - NEARBY), index + NEARBY + 1)));
  const extent = (steps[steps.length - 1] ?? 0) - (steps[0] ?? 0);
  const reach = distances.map((distance, index) => {
    const normal = usual[index] ?? distance;
    return (distance > UNUSUAL * normal && distance > NOTICEABLE * extent ? normal : distance) / 2;
  });
  return steps.map((step, index) => ({
    from: step - (reach[index - 1] ?? (usual[0] ?? 1) / 2),
    to: step + (reach[index] ?? (usual[usual.length - 1] ?? 1) / 2),
  }));
}

/** Parts of `extent` that no record stands for. */
export function gapsOf(cells: readonly Cell[], extent: Cell): Cell[] {
  const ends = [Number.NEGATIVE_INFINITY, ...cells.map(({ to }) => to)];
  const starts = [...cells.map(({ from }) => from), Number.POSITIVE_INFINITY];
  return ends
    .map((end, index) => ({
      from: Math.max(end, extent.from),
      to: Math.min(starts[index] ?? end, extent.to),
    }))
    .filter(({ from, to }) => to - from > NOTICEABLE * (extent.to - extent.from));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 1;
}
