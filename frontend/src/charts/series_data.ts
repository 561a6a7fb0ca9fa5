import uPlot from "uplot";
import type { StepAxis } from "../core/axis";
import { type Curve, smoothed, usualExtent } from "../core/curve";
import { type PlottedSeries, plottedSeries } from "../core/points";
import { type Extent, medianSize, nearestStep } from "../core/scale";
import type { Timeline } from "../core/timeline";
import type { ScaleKind } from "../core/types";
import { unreachable } from "../core/unreachable";

/** The values of one run or call; steps ascend. */
export interface TimeLine {
  /** For people. */
  readonly name: string;
  readonly steps: readonly number[];
  readonly values: Float32Array;
  readonly timeline: Timeline;
  readonly color: string;
  /** Pixels on and off, alternating; empty for a solid line. */
  readonly dash: readonly number[];
}

export type Lines = readonly [TimeLine, ...TimeLine[]];

/** A line as drawn. */
export interface DrawnLine {
  readonly line: TimeLine;
  readonly plotted: PlottedSeries;
  /** Of the values behind a moving average; null without one. */
  readonly raw: PlottedSeries | null;
}

export function drawnLines(lines: Lines, scale: ScaleKind, { smoothing }: Curve): DrawnLine[] {
  return lines.map((line) => {
    const raw = plottedSeries(line.values, scale);
    if (smoothing === 0) return { line, plotted: raw, raw: null };
    return { line, plotted: plottedSeries(smoothed(line.values, smoothing, scale === "log"), scale), raw };
  });
}

/** Joins lines with different steps; a line is `undefined` where only another line has a step, `null` in a gap. */
export function chartData(drawn: readonly DrawnLine[], axis: StepAxis): uPlot.AlignedData {
  const tables = drawn.map(({ line, plotted, raw }): uPlot.AlignedData => {
    const places = line.steps.map((step) => line.timeline.at(step));
    const columns = raw === null ? [plotted.line] : [raw.line, plotted.line];
    return withGaps(places, columns, axis);
  });
  return tables.length === 1 && tables[0] !== undefined ? tables[0] : uPlot.join(tables);
}

/** A point without a value in the middle of each gap of the main run that the line crosses. */
function withGaps(
  places: readonly number[],
  columns: readonly PlottedSeries["line"][],
  axis: StepAxis,
): uPlot.AlignedData {
  const middles = axis.gaps.map(({ from, to }) => axis.valueAt((from + to) / 2));
  const order = [
    ...places.map((place, index) => ({ place, index })),
    ...middles.filter((place) => !places.includes(place)).map((place) => ({ place, index: -1 })),
  ].sort((a, b) => a.place - b.place);
  return [
    order.map(({ place }) => place),
    ...columns.map((column) => order.map(({ index }) => (index < 0 ? null : column[index]))),
  ];
}

/** The value of a line at a step of the common axis: that of its nearest record. */
export function valueOfLine({ steps, values, timeline }: TimeLine, common: Timeline, step: number): number {
  return values[nearestStep(steps, timeline.stepAt(common.at(step)))] ?? Number.NaN;
}

export interface ValueRange {
  readonly scale: ScaleKind;
  /** Ends of the vertical axis; null to fit the values. */
  readonly bounds: Extent | null;
  readonly curve: Curve;
  /** Values that the axis shows if they are near. */
  readonly thresholds: readonly number[];
}

export function yScale(lines: Lines, range: ValueRange): uPlot.Scale {
  const usual = range.curve.hidesOutliers ? usualExtent(joinedValues(lines)) : null;
  const ends = (low: number | null, high: number | null): Extent | null => {
    if (usual !== null) return usual;
    return low === null || high === null ? null : withThresholds({ low, high }, range);
  };
  switch (range.scale) {
    case "linear":
      return { range: (_, low, high) => linearRange(ends(low, high), range.bounds) };
    case "log":
      return { distr: 3, range: (_, low, high) => logRange(ends(low, high)) };
    case "symlog":
      return { distr: 4, asinh: medianSize(lines[0].values) };
    default:
      return unreachable(range.scale);
  }
}

export function joinedValues([main, ...others]: Lines): Float32Array {
  return others.length === 0 ? main.values : Float32Array.from([main, ...others].flatMap(({ values }) => [...values]));
}

/** A threshold may widen a linear axis this many times, and a logarithmic one by this factor. */
const WIDEST = 3;
const FARTHEST = 100;

function withThresholds(extent: Extent, { scale, thresholds }: ValueRange): Extent {
  let { low, high } = extent;
  for (const threshold of thresholds) {
    const [from, to] = [Math.min(low, threshold), Math.max(high, threshold)];
    const isNear =
      scale === "log"
        ? threshold > 0 && low / from <= FARTHEST && to / high <= FARTHEST
        : to - from <= WIDEST * (high - low);
    if (isNear) [low, high] = [from, to];
  }
  return { low, high };
}

function linearRange(extent: Extent | null, bounds: Extent | null): [number, number] {
  if (bounds !== null) return [bounds.low, bounds.high];
  if (extent === null) return [0, 1];
  const { low, high } = extent;
  const [from, to] = low === high ? [low, high] : uPlot.rangeNum(low, high, 0.08, true);
  if (from !== to) return [from ?? low, to ?? high];
  const margin = Math.abs(low) / 2 || 1;
  return [low - margin, low + margin];
}

function logRange(extent: Extent | null): [number, number] {
  if (extent === null || !(extent.low > 0)) return [0.1, 10];
  return [10 ** Math.floor(Math.log10(extent.low) - 0.05), 10 ** Math.ceil(Math.log10(extent.high) + 0.05)];
}

/** At most one label per power of ten, thinned so that labels do not touch. */
export function logSplits(_: uPlot, __: number, low: number, high: number): number[] {
  const first = Math.round(Math.log10(low));
  const last = Math.round(Math.log10(high));
  const stride = Math.max(1, Math.ceil((last - first) / 3));
  const splits: number[] = [];
  for (let exponent = first; exponent <= last; exponent += stride) splits.push(Number(`1e${exponent}`));
  return splits;
}
