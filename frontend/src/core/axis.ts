import { scaleLinear } from "d3-scale";
import { formatCount } from "./format";
import { indexOfStep } from "./scale";
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
  /** Index of the recorded step that is shown at a position in [0, 1]; -1 without steps. */
  indexAt(position: number): number;
  /** Timeline values at both ends. */
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly AxisTick[];
  /** Unit of the ticks. */
  readonly title: string;
}

const TICKS = 8;

/** Steps must be ascending. Each recorded step extends to the next one. Without a window, all steps are shown. */
export function stepAxis(
  steps: readonly number[],
  timeline: Timeline = BY_STEP,
  zoom: StepWindow | null = null,
): StepAxis {
  const shown = zoom ?? wholeWindow(steps);
  const [from, to] = [timeline.at(shown.from), timeline.at(shown.to)];
  const scale = scaleLinear([from, to], [0, 1]).clamp(true);
  const unit = unitOf(timeline.kind, to - from);
  const stepAt = (position: number) => timeline.stepAt(scale.invert(position));
  return {
    shows: (step) => step >= shown.from && step <= shown.to,
    position: (step) => scale(timeline.at(step)),
    stepAt,
    indexAt: (position) => indexOfStep(steps, stepAt(position)),
    from,
    to,
    ticks: ticksOf(from, to, unit).map(({ at, label }) => ({ position: scale(at), label })),
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
  return scaleLinear([from / size, to / size], [0, 1])
    .ticks(TICKS)
    .filter((value) => !isWhole || Number.isInteger(value))
    .map((value) => ({ at: value * size, label: formatCount(value) }));
}

/** From the first step to the end of the last one. */
export function wholeWindow(steps: readonly number[]): StepWindow {
  const first = steps[0] ?? 0;
  const last = steps[steps.length - 1] ?? first;
  const before = steps[steps.length - 2];
  if (before === undefined) return { from: first - 0.5, to: first + 0.5 };
  return { from: first, to: last + (last - before) };
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
