import { ticks } from "d3-array";
import { type Cell, gapsOf, recordCells } from "./coverage";
import { formatCount } from "./format";
import { linearMapping } from "./mapping";
import { nearestStep } from "./scale";
import { BY_STEP, type Timeline, type XKind } from "./timeline";

/** A range of steps. */
export interface StepWindow {
  readonly from: number;
  readonly to: number;
}

export interface AxisTick {
  /** In [0, 1]. */
  readonly position: number;
  readonly label: string;
}

/** Positions of steps along a horizontal axis. */
export interface StepAxis {
  /** Whether a step is in the visible range. */
  shows(step: number): boolean;
  /** In [0, 1]; steps outside are clamped. A single step is in the middle. */
  position(step: number): number;
  stepAt(position: number): number;
  /** The timeline value of a step, which need not be recorded. */
  valueAt(step: number): number;
  /** Index of the recorded step nearest to a position in [0, 1]; -1 without steps. */
  indexAt(position: number): number;
  /** Whether a part of the cell is visible. */
  meets(cell: Cell): boolean;
  /** What each recorded step stands for, in steps. */
  readonly cells: readonly Cell[];
  /** Ranges of steps without a record. */
  readonly gaps: readonly Cell[];
  /** Timeline values at both ends. */
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly AxisTick[];
  /** Unit of the ticks. */
  readonly title: string;
}

const TICKS = 8;

/** Steps must be ascending. Without a window, the axis begins with the first recorded step and ends with the last. */
export function stepAxis(
  steps: readonly number[],
  timeline: Timeline = BY_STEP,
  visible: StepWindow | null = null,
): StepAxis {
  const shown = visible ?? wholeWindow(steps);
  const cells = recordCells(steps);
  const [from, to] = [timeline.at(shown.from), timeline.at(shown.to)];
  const { position, valueAt } = linearMapping(from, to);
  const unit = unitOf(timeline.kind, to - from);
  const stepAt = (at: number) => timeline.stepAt(valueAt(at));
  return {
    shows: (step) => step >= shown.from && step <= shown.to,
    position: (step) => position(timeline.at(step)),
    stepAt,
    valueAt: timeline.at,
    indexAt: (at) => nearestStep(steps, stepAt(at)),
    meets: ({ from: start, to: end }) => end > shown.from && start < shown.to,
    cells,
    gaps: gapsOf(cells, shown),
    from,
    to,
    ticks: ticksOf(from, to, unit).map(({ at, label }) => ({ position: position(at), label })),
    title: unit.title,
  };
}

interface AxisUnit {
  readonly title: string;
  /** Timeline units per axis unit. */
  readonly size: number;
  readonly isWhole: boolean;
}

function unitOf(kind: XKind, span: number): AxisUnit {
  switch (kind) {
    case "step":
      return { title: "Step", size: 1, isWhole: true };
    case "epoch":
      return { title: "Epoch", size: 1, isWhole: span >= 2 };
    case "time":
      if (span < 180) return { title: "Seconds", size: 1, isWhole: false };
      if (span < 3 * 3600) return { title: "Minutes", size: 60, isWhole: false };
      return { title: "Hours", size: 3600, isWhole: false };
    default: {
      const never: never = kind;
      return never;
    }
  }
}

function ticksOf(from: number, to: number, { size, isWhole }: AxisUnit) {
  return ticks(from / size, to / size, TICKS)
    .filter((value) => !isWhole || Number.isInteger(value))
    .map((value) => ({ at: value * size, label: formatCount(value) }));
}

/** From the first recorded step to the last one: no axis shows a step that never ran. A single step has a width of 1. */
export function wholeWindow(steps: readonly number[]): StepWindow {
  const first = steps[0] ?? 0;
  const last = steps[steps.length - 1] ?? first;
  return first === last ? { from: first - 0.5, to: first + 0.5 } : { from: first, to: last };
}

/** The window scaled by `factor` around `center` (narrower below 1); null if it would show everything. */
export function zoomBy(
  zoom: StepWindow | null,
  whole: StepWindow,
  center: number | null,
  factor: number,
): StepWindow | null {
  const { from, to } = zoom ?? whole;
  const width = (to - from) * factor;
  if (width >= whole.to - whole.from) return null;
  if (width < 1) return zoom;
  const middle = center !== null && center >= from && center <= to ? center : (from + to) / 2;
  return within({ from: middle - width / 2, to: middle + width / 2 }, whole);
}

/** The window moved by a fraction of its width, kept inside the whole. */
export function panBy(zoom: StepWindow, whole: StepWindow, share: number): StepWindow {
  const move = (zoom.to - zoom.from) * share;
  return within({ from: zoom.from + move, to: zoom.to + move }, whole);
}

/** The window moved as little as needed to show the step. */
export function panTo(zoom: StepWindow, step: number): StepWindow {
  const move = step < zoom.from ? step - zoom.from : step > zoom.to ? step - zoom.to : 0;
  return move === 0 ? zoom : { from: zoom.from + move, to: zoom.to + move };
}

function within({ from, to }: StepWindow, whole: StepWindow): StepWindow {
  const move = from < whole.from ? whole.from - from : to > whole.to ? whole.to - to : 0;
  return { from: from + move, to: to + move };
}
