import { effect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Palette } from "../core/colour";
import { formatCount, formatValue } from "../core/format";
import { type PlottedSeries, plottedSeries } from "../core/points";
import { type Extent, indexOfStep, medianSize, type StepAxis, stepAxis } from "../core/scale";
import { unreachable } from "../core/severity";
import type { ScaleKind } from "../core/types";
import { useWidth } from "./size";

export interface StepMarker {
  readonly step: number;
  readonly colour: string;
}

export interface TimeSeriesProps {
  /** Accessible name. */
  readonly name: string;
  readonly steps: readonly number[];
  readonly values: Float32Array;
  /** Of the vertical axis. */
  readonly scale: ScaleKind;
  /** Its ends, null to follow the values. */
  readonly bounds: Extent | null;
  readonly unit: string;
  readonly palette: Palette;
  readonly height: number;
  readonly markers: readonly StepMarker[];
  readonly cursor: ReadonlySignal<number | null>;
  onPinStep(step: number | null): void;
  onHoverStep(step: number | null): void;
}

const FONT = "11px Roboto, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
const AXIS_WIDTH = 58;

/** One statistic over steps. The numbers themselves are for the table beside it. */
export function TimeSeries(props: TimeSeriesProps) {
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const plotted = useMemo(() => plottedSeries(props.values, props.scale), [props.values, props.scale]);

  useEffect(() => {
    if (holder.current === null || width === 0) return;
    const chart = new uPlot(chartOptions(props, plotted, width), [[...props.steps], plotted.line], holder.current);
    const stop = attachCursor(chart, props);
    return () => {
      stop();
      chart.destroy();
    };
  }, [width, plotted, props.steps, props.palette, props.height, JSON.stringify(props.markers)]);

  return (
    <div ref={holder} class="series-chart" role="img" aria-label={props.name} style={{ height: `${props.height}px` }} />
  );
}

function yScale(props: TimeSeriesProps): uPlot.Scale {
  switch (props.scale) {
    case "linear":
      return { range: (_, low, high) => linearRange(low, high, props.bounds) };
    case "log":
      return { distr: 3, range: (_, low, high) => logRange(low, high) };
    case "symlog":
      return { distr: 4, asinh: medianSize(props.values) };
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

function chartOptions(props: TimeSeriesProps, plotted: PlottedSeries, width: number): uPlot.Options {
  const { palette, steps } = props;
  const stroke = palette.series;
  const axis = stepAxis(steps);
  const common = { font: FONT, stroke: palette.muted, ticks: { show: false } };
  const grid = { stroke: palette.line, width: 1 };
  return {
    width,
    height: props.height,
    padding: [6, 8, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: () => stepRange(axis) },
      y: yScale(props),
    },
    axes: [
      {
        ...common,
        grid: { show: false },
        size: 20,
        gap: 3,
        space: 70,
        incrs: WHOLE_STEPS,
        values: (_, ticks) => ticks.map(formatCount),
      },
      {
        ...common,
        grid,
        size: AXIS_WIDTH,
        gap: 5,
        space: 26,
        values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : formatValue(tick, props.unit))),
        ...(props.scale === "log" ? { splits: logSplits, filter: (_: uPlot, splits: number[]) => splits } : {}),
      },
    ],
    series: [
      {},
      {
        stroke,
        width: 1.5,
        spanGaps: false,
        points: { show: steps.length < 3, size: 5, fill: stroke },
      },
    ],
    hooks: {
      drawAxes: [(chart) => drawMarkers(chart, props.markers)],
      draw: [(chart) => drawOffScale(chart, plotted, palette)],
    },
  };
}

/** A single step stands in the middle. */
function stepRange({ first, last }: StepAxis): [number, number] {
  return first === last ? [first - 0.4, first + 0.4] : [first, last];
}

/** In [0, 1]; the chart's own conversion does not work before its first drawing. */
function positionOf(step: number, axis: StepAxis): number {
  const [from, to] = stepRange(axis);
  return Math.min(1, Math.max(0, (step - from) / (to - from)));
}

const WHOLE_STEPS = Array.from({ length: 13 }, (_, exponent) =>
  [1, 2, 5].map((digit) => digit * 10 ** exponent),
).flat();

function drawMarkers(chart: uPlot, markers: readonly StepMarker[]): void {
  const { ctx, bbox } = chart;
  for (const { step, colour } of markers) {
    const x = Math.round(chart.valToPos(step, "x", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }
}

/** Zeros on a logarithmic axis stand at the bottom, infinite values at the top: never left out unseen. */
function drawOffScale(chart: uPlot, plotted: PlottedSeries, palette: Palette): void {
  const { top, height } = chart.bbox;
  const thickness = 3 * uPlot.pxRatio;
  drawEdge(chart, plotted.below, top + height - thickness, thickness, palette.text);
  drawEdge(chart, plotted.infinite, top, thickness, palette.alarm);
  const [first] = plotted.below;
  if (first === undefined) return;
  const { ctx } = chart;
  ctx.font = FONT.replace("11px", `${11 * uPlot.pxRatio}px`);
  ctx.fillStyle = palette.text;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  const x = chart.valToPos(chart.data[0][first] ?? 0, "x", true);
  ctx.fillText("zero", x + 4 * uPlot.pxRatio, top + height - thickness - uPlot.pxRatio);
}

/** A bar from each of the steps to the step after it. */
function drawEdge(chart: uPlot, indices: readonly number[], top: number, thickness: number, colour: string): void {
  const steps = chart.data[0];
  const { ctx, bbox } = chart;
  ctx.fillStyle = colour;
  for (const index of indices) {
    const from = chart.valToPos(steps[index] ?? 0, "x", true);
    const next = steps[index + 1];
    const to = next === undefined ? bbox.left + bbox.width : chart.valToPos(next, "x", true);
    ctx.fillRect(from, top, Math.max(to - from, 2 * uPlot.pxRatio), thickness);
  }
}

/** Marks the shared step and reports the pointer; returns what undoes it. */
function attachCursor(chart: uPlot, props: TimeSeriesProps): () => void {
  const axis = stepAxis(props.steps);
  const mark = document.createElement("div");
  mark.className = "step-mark";
  chart.over.append(mark);
  const stop = effect(() => {
    const step = props.cursor.value;
    mark.style.display = step === null ? "none" : "";
    if (step !== null) mark.style.left = `${positionOf(step, axis) * 100}%`;
  });
  const stepUnder = (event: MouseEvent): number | null => {
    const box = chart.over.getBoundingClientRect();
    return props.steps[indexOfStep(props.steps, chart.posToVal(event.clientX - box.left, "x"))] ?? null;
  };
  chart.over.addEventListener("pointermove", (event) => props.onHoverStep(stepUnder(event)));
  chart.over.addEventListener("pointerleave", () => props.onHoverStep(null));
  chart.over.addEventListener("click", (event) => props.onPinStep(stepUnder(event)));
  return stop;
}
