import { effect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import { type StepAxis, stepAxis, wholeWindow } from "../core/axis";
import type { Palette } from "../core/color";
import { formatValue, isShare } from "../core/format";
import { type PlottedSeries, plottedSeries } from "../core/points";
import { type Extent, medianSize } from "../core/scale";
import type { Timeline } from "../core/timeline";
import type { ScaleKind } from "../core/types";
import { unreachable } from "../core/unreachable";
import type { StepView } from "../core/view";
import { followPointer } from "./pointer";
import { useWidth } from "./size";

export interface StepMarker {
  readonly step: number;
  readonly color: string;
}

/** The values of one run; steps ascend. */
export interface TimeLine {
  readonly steps: readonly number[];
  readonly values: Float32Array;
  readonly timeline: Timeline;
  readonly color: string;
  /** Pixels on and off, alternating; empty for a solid line. */
  readonly dash: readonly number[];
}

export interface TimeSeriesProps {
  /** Accessible name. */
  readonly name: string;
  /** The step cursor and the markers belong to the first one. */
  readonly lines: readonly [TimeLine, ...TimeLine[]];
  /** Scale of the vertical axis. */
  readonly scale: ScaleKind;
  /** Ends of the vertical axis; null to fit the values. */
  readonly bounds: Extent | null;
  readonly unit: string;
  readonly palette: Palette;
  readonly height: number;
  readonly markers: readonly StepMarker[];
  readonly view: StepView;
}

const FONT = "11px Roboto, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
const AXIS_WIDTH = 58;

/** One statistic over steps. The table holds the numbers. */
export function TimeSeries(props: TimeSeriesProps) {
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const { lines, view } = props;
  const plotted = useMemo(() => lines.map(({ values }) => plottedSeries(values, props.scale)), [lines, props.scale]);
  const axis = useMemo(() => sharedAxis(lines, view), [lines, view.timeline, view.zoom]);

  useEffect(() => {
    if (holder.current === null || width === 0) return;
    const chart = new uPlot(chartOptions(props, plotted, axis, width), chartData(lines, plotted), holder.current);
    const stop = attachCursor(chart, props, axis);
    return () => {
      stop();
      chart.destroy();
    };
  }, [width, plotted, axis, props.palette, props.height, JSON.stringify(props.markers)]);

  return (
    <div ref={holder} class="series-chart" role="img" aria-label={props.name} style={{ height: `${props.height}px` }} />
  );
}

/** The axis of the first line, extended to fit all lines. */
function sharedAxis([main, ...others]: TimeSeriesProps["lines"], { timeline, zoom }: StepView): StepAxis {
  const whole = wholeWindow(main.steps);
  const ends = others.map(({ steps, timeline: own }) => timeline.stepAt(own.at(steps[steps.length - 1] ?? 0)));
  return stepAxis(main.steps, timeline, zoom ?? { ...whole, to: Math.max(whole.to, ...ends) });
}

/** Joins lines with different steps; a line is `undefined` where only another line has a step. */
function chartData(lines: readonly TimeLine[], plotted: readonly PlottedSeries[]): uPlot.AlignedData {
  const tables = lines.map(
    ({ steps, timeline }, index): uPlot.AlignedData => [
      steps.map((step) => timeline.at(step)),
      plotted[index]?.line ?? [],
    ],
  );
  return tables.length === 1 && tables[0] !== undefined ? tables[0] : uPlot.join(tables);
}

function yScale(props: TimeSeriesProps): uPlot.Scale {
  switch (props.scale) {
    case "linear":
      return { range: (_, low, high) => linearRange(low, high, props.bounds) };
    case "log":
      return { distr: 3, range: (_, low, high) => logRange(low, high) };
    case "symlog":
      return { distr: 4, asinh: medianSize(props.lines[0].values) };
    default:
      return unreachable(props.scale);
  }
}

function linearRange(low: number | null, high: number | null, bounds: Extent | null): [number, number] {
  if (bounds !== null) return [bounds.low, bounds.high];
  if (low === null || high === null) return [0, 1];
  const [from, to] = low === high ? [low, high] : uPlot.rangeNum(low, high, 0.08, true);
  if (from !== to) return [from ?? low, to ?? high];
  const margin = Math.abs(low) / 2 || 1;
  return [low - margin, low + margin];
}

function logRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !(low > 0)) return [0.1, 10];
  return [10 ** Math.floor(Math.log10(low) - 0.05), 10 ** Math.ceil(Math.log10(high) + 0.05)];
}

/** At most one label per power of ten, thinned so that labels do not touch. */
function logSplits(_: uPlot, __: number, low: number, high: number): number[] {
  const first = Math.round(Math.log10(low));
  const last = Math.round(Math.log10(high));
  const stride = Math.max(1, Math.ceil((last - first) / 3));
  const splits: number[] = [];
  for (let exponent = first; exponent <= last; exponent += stride) splits.push(10 ** exponent);
  return splits;
}

function chartOptions(
  props: TimeSeriesProps,
  plotted: readonly PlottedSeries[],
  axis: StepAxis,
  width: number,
): uPlot.Options {
  const { palette, lines, view } = props;
  // Other units do not fit next to the axis; the value above the chart has them.
  const tickUnit = isShare(props.unit) ? props.unit : "";
  const common = { font: FONT, stroke: palette.muted, ticks: { show: false } };
  const grid = { stroke: palette.line, width: 1 };
  const splits = axis.ticks.map(({ position }) => axis.from + position * (axis.to - axis.from));
  return {
    width,
    height: props.height,
    padding: [6, 18, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: () => [axis.from, axis.to] },
      y: yScale(props),
    },
    axes: [
      {
        ...common,
        grid: { show: false },
        size: 20,
        gap: 3,
        splits: () => spaced(splits, width),
        values: (_, shown) => shown.map((split) => axis.ticks[splits.indexOf(split)]?.label ?? ""),
      },
      {
        ...common,
        grid,
        size: AXIS_WIDTH,
        gap: 5,
        space: 26,
        values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : formatValue(tick, tickUnit))),
        ...(props.scale === "log" ? { splits: logSplits, filter: (_: uPlot, splits: number[]) => splits } : {}),
      },
    ],
    series: [
      {},
      ...lines.map(({ color, dash, steps }) => ({
        stroke: color,
        width: 1.5,
        dash: [...dash],
        spanGaps: false,
        points: { show: steps.length < 3, size: 5, fill: color },
      })),
    ],
    hooks: {
      drawAxes: [(chart) => drawMarkers(chart, props.markers, view.timeline)],
      draw: [
        (chart) => {
          for (const [index, { below, infinite }] of plotted.entries()) {
            const line = lines[index];
            if (line !== undefined)
              drawOffScale(chart, line, below, infinite, index === 0 ? palette.text : line.color, palette);
          }
        },
      ],
    },
  };
}

/** Thins the ticks so that their labels do not touch. */
function spaced(splits: readonly number[], width: number): number[] {
  const stride = Math.max(1, Math.ceil((splits.length * 62) / Math.max(1, width - AXIS_WIDTH)));
  return splits.filter((_, index) => index % stride === 0);
}

function drawMarkers(chart: uPlot, markers: readonly StepMarker[], timeline: Timeline): void {
  const { ctx, bbox } = chart;
  for (const { step, color } of markers) {
    const x = Math.round(chart.valToPos(timeline.at(step), "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.save();
    ctx.strokeStyle = color;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }
}

/** Draws zeros on a logarithmic axis at the bottom and infinite values at the top, so that none is hidden. */
function drawOffScale(
  chart: uPlot,
  line: TimeLine,
  below: readonly number[],
  infinite: readonly number[],
  color: string,
  palette: Palette,
): void {
  const { ctx, bbox } = chart;
  const thickness = 3 * uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const bottom = bbox.top + bbox.height - thickness;
  drawEdge(chart, line, below, bottom, thickness, color);
  drawEdge(chart, line, infinite, bbox.top, thickness, palette.alarm);
  const [first] = below;
  if (first !== undefined) {
    ctx.font = FONT.replace("11px", `${11 * uPlot.pxRatio}px`);
    ctx.fillStyle = palette.text;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    const x = Math.max(bbox.left, positionOf(chart, line, first));
    ctx.fillText("zero", x + 4 * uPlot.pxRatio, bottom - uPlot.pxRatio);
  }
  ctx.restore();
}

function positionOf(chart: uPlot, { steps, timeline }: TimeLine, index: number): number {
  return chart.valToPos(timeline.at(steps[index] ?? 0), "x", true);
}

/** A bar from each step to the next one. */
function drawEdge(
  chart: uPlot,
  line: TimeLine,
  indices: readonly number[],
  top: number,
  thickness: number,
  color: string,
): void {
  const { ctx } = chart;
  ctx.fillStyle = color;
  for (const index of indices) {
    const from = positionOf(chart, line, index);
    const to = index + 1 < line.steps.length ? positionOf(chart, line, index + 1) : from;
    ctx.fillRect(from, top, Math.max(to - from, 2 * uPlot.pxRatio), thickness);
  }
}

/** Marks the shared step and follows the pointer; returns a cleanup function. */
function attachCursor(chart: uPlot, { lines, view }: TimeSeriesProps, axis: StepAxis): () => void {
  const { steps } = lines[0];
  const mark = document.createElement("div");
  mark.className = "step-mark";
  chart.over.append(mark);
  const stopMarking = effect(() => {
    const step = view.cursor.value;
    const isShown = step !== null && axis.shows(step);
    mark.style.display = isShown ? "" : "none";
    if (isShown) mark.style.left = `${axis.position(step) * 100}%`;
  });
  const stopFollowing = followPointer(chart.over, () => ({ axis, steps, view }));
  return () => {
    stopMarking();
    stopFollowing();
  };
}
