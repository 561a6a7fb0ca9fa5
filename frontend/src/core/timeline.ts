/** Unit of the horizontal axes. */
export type XKind = "step" | "epoch" | "time";

export const X_KINDS: readonly XKind[] = ["step", "epoch", "time"];

/** Maps steps to positions on the axis and back; both ascend. */
export interface Timeline {
  readonly kind: XKind;
  /** The step itself, epochs since the start of training, or seconds since the first record. */
  at(step: number): number;
  stepAt(position: number): number;
}

export const BY_STEP: Timeline = { kind: "step", at: (step) => step, stepAt: (step) => step };

/** The recorded steps of a run, ascending. */
export interface StepRecord {
  readonly steps: readonly number[];
  /** Seconds since the epoch. */
  readonly wallTimes: readonly number[];
  /** Epoch of each step, counted from 0; null where epochs were not recorded. */
  readonly epochs: Float32Array | null;
}

/** Null if the run did not record what the axis needs. */
export function timelineOf(kind: XKind, record: StepRecord): Timeline | null {
  switch (kind) {
    case "step":
      return BY_STEP;
    case "epoch":
      return record.epochs === null ? null : throughPoints(kind, epochPoints(record.steps, record.epochs));
    case "time":
      return throughPoints(kind, timePoints(record.steps, record.wallTimes));
    default: {
      const never: never = kind;
      return never;
    }
  }
}

/** Step and position. */
type Point = readonly [number, number];

/** A clock that was set back must not reverse the axis. */
function timePoints(steps: readonly number[], wallTimes: readonly number[]): Point[] {
  const start = wallTimes[0] ?? 0;
  let latest = 0;
  return steps.map((step, index) => {
    latest = Math.max(latest, (wallTimes[index] ?? start) - start);
    return [step, latest];
  });
}

/** The first recorded step of each epoch, and the last step; positions are linear within an epoch. */
function epochPoints(steps: readonly number[], epochs: Float32Array): Point[] {
  const starts: Point[] = [];
  steps.forEach((step, index) => {
    const epoch = epochs[index] ?? Number.NaN;
    if (epoch > (starts[starts.length - 1]?.[1] ?? Number.NEGATIVE_INFINITY)) starts.push([step, epoch]);
  });
  const last = steps[steps.length - 1] ?? 0;
  const start = starts[starts.length - 1];
  const before = starts[starts.length - 2];
  if (start === undefined || last <= start[0]) return starts;
  const length = before === undefined ? last - start[0] : (start[0] - before[0]) / (start[1] - before[1]);
  return [...starts, [last, start[1] + Math.min(1, (last - start[0]) / length)]];
}

function throughPoints(kind: XKind, points: readonly Point[]): Timeline | null {
  const first = points[0];
  const last = points[points.length - 1];
  if (first === undefined || last === undefined || !(last[1] > first[1])) return null;
  const inverse = points.map(([step, position]): Point => [position, step]);
  return { kind, at: (step) => interpolate(points, step), stepAt: (position) => interpolate(inverse, position) };
}

/** Linear between neighbors; extrapolates with the average slope. */
function interpolate(points: readonly Point[], x: number): number {
  const first = points[0] ?? [0, 0];
  const last = points[points.length - 1] ?? first;
  if (x <= first[0] || x >= last[0]) {
    const [near, far] = x <= first[0] ? [first, last] : [last, first];
    return near[1] + ((x - near[0]) * (far[1] - near[1])) / (far[0] - near[0] || 1);
  }
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.[0] ?? 0) <= x) low = middle;
    else high = middle;
  }
  const [from, to] = [points[low] ?? first, points[high] ?? last];
  return from[1] + ((x - from[0]) * (to[1] - from[1])) / (to[0] - from[0] || 1);
}
