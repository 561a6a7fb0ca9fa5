import { effect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { StepAxis } from "../core/axis";
import type { Palette } from "../core/color";
import { formatValue, isShare } from "../core/format";
import type { StepView } from "../core/view";
import { followPointer } from "./pointer";
import {
  chartData,
  type DrawnLine,
  drawnLines,
  type Lines,
  logSplits,
  type ValueRange,
  valueOfLine,
  yScale,
} from "./series_data";
import {
  drawGaps,
  drawMarkers,
  drawSpecials,
  drawThresholds,
  FONT,
  type StepMarker,
  type ThresholdLine,
} from "./series_marks";
import { drawSeriesVector, type ValueTick } from "./series_vector";
import { useWidth } from "./size";
import { useStepAxis } from "./step_axis";
import { createTooltip, type TipText } from "./tooltip";
import { drawsAsVector } from "./vector";

export interface TimeSeriesProps {
  /** Accessible name. */
  readonly name: string;
  /** The step cursor and the markers belong to the first one. */
  readonly lines: Lines;
  readonly range: ValueRange;
  readonly unit: string;
  readonly palette: Palette;
  readonly height: number;
  readonly markers: readonly StepMarker[];
  readonly thresholds: readonly ThresholdLine[];
  readonly view: StepView;
}

const LEAST_AXIS_WIDTH = 40;
/** Pixels per character of a label, at most, and around it. */
const CHARACTER = 6.2;
const LABEL_SPACE = 62;

/** One statistic over steps. The table holds the numbers. */
export function TimeSeries(props: TimeSeriesProps) {
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const { lines, view, range, palette } = props;
  const drawn = useMemo(() => drawnLines(lines, range.scale, range.curve), [lines, range.scale, range.curve]);
  const { timeline } = view;
  const axis = useStepAxis(lines[0].steps, view);

  useEffect(() => {
    const element = holder.current;
    if (element === null || width === 0) return;
    const ticks: ValueTick[] = [];
    const chart = new uPlot(chartOptions(props, drawn, axis, width, ticks), chartData(drawn, axis), element);
    const { markers, thresholds } = props;
    drawsAsVector(element, (group) =>
      drawSeriesVector({ chart, drawn, axis, timeline, palette, ticks, markers, thresholds }, group),
    );
    const stop = attachCursor(chart, props, axis);
    return () => {
      stop();
      chart.destroy();
    };
  }, [width, drawn, axis, palette, props.height, JSON.stringify([props.markers, props.thresholds, range])]);

  return (
    <div ref={holder} class="series-chart" role="img" aria-label={props.name} style={{ height: `${props.height}px` }} />
  );
}

function chartOptions(
  props: TimeSeriesProps,
  drawn: readonly DrawnLine[],
  axis: StepAxis,
  width: number,
  ticks: ValueTick[],
): uPlot.Options {
  const { palette, view, range } = props;
  // Other units do not fit next to the axis; the value above the chart has them.
  const tickUnit = isShare(props.unit) ? props.unit : "";
  const common = { font: FONT, stroke: palette.muted, ticks: { show: false } };
  const splits = axis.ticks.map(({ position }) => axis.from + position * (axis.to - axis.from));
  return {
    width,
    height: props.height,
    padding: [6, 24, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: () => [axis.from, axis.to] },
      y: yScale(props.lines, range),
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
        grid: { stroke: palette.line, width: 1 },
        size: (_, labels) => widthOf(labels),
        gap: 5,
        space: 26,
        values: (_, values) => {
          const labels = values.map((value) => (value === null ? "" : formatValue(value, tickUnit)));
          ticks.splice(0, ticks.length, ...values.map((value, index) => ({ value, label: labels[index] ?? "" })));
          return labels;
        },
        ...(range.scale === "log" ? { splits: logSplits, filter: (_: uPlot, all: number[]) => all } : {}),
      },
    ],
    series: [{}, ...drawn.flatMap(seriesOf)],
    hooks: {
      drawAxes: [
        (chart) => {
          drawGaps(chart, axis, palette);
          drawThresholds(chart, props.thresholds, palette);
          drawMarkers(chart, props.markers, view.timeline);
        },
      ],
      draw: [(chart) => drawSpecials(chart, drawn, palette)],
    },
  };
}

/** The values behind a moving average are faint. */
function seriesOf({ line, raw }: DrawnLine): uPlot.Series[] {
  const style = { stroke: line.color, width: 1.5, dash: [...line.dash], spanGaps: false, points: { show: false } };
  return raw === null ? [style] : [{ ...style, width: 1, alpha: 0.3 }, style];
}

/** Room for the longest label. */
function widthOf(labels: readonly string[] | null): number {
  const longest = Math.max(0, ...(labels ?? []).map((label) => label.length));
  return Math.max(LEAST_AXIS_WIDTH, Math.ceil(longest * CHARACTER) + 10);
}

/** Thins the ticks so that their labels do not touch. */
function spaced(splits: readonly number[], width: number): number[] {
  const stride = Math.max(1, Math.ceil((splits.length * LABEL_SPACE) / Math.max(1, width - LABEL_SPACE)));
  return splits.filter((_, index) => index % stride === 0);
}

/** Marks the shared step, follows the pointer and tells the values under it; returns a cleanup function. */
function attachCursor(chart: uPlot, props: TimeSeriesProps, axis: StepAxis): () => void {
  const { lines, view } = props;
  const { steps } = lines[0];
  const mark = document.createElement("div");
  mark.className = "step-mark";
  chart.over.append(mark);
  const tooltip = createTooltip(chart.root);
  const stopMarking = effect(() => {
    const step = view.cursor.value;
    const isShown = step !== null && axis.shows(step);
    mark.style.display = isShown ? "" : "none";
    if (isShown) mark.style.left = `${axis.position(step) * 100}%`;
  });
  const stopFollowing = followPointer(chart.over, () => ({
    axis,
    steps,
    view,
    onPoint: (event, step) => {
      if (event === null || step === null) tooltip.hide();
      else tooltip.show(tipText(props, axis, step), event);
    },
  }));
  return () => {
    stopMarking();
    stopFollowing();
    tooltip.remove();
  };
}

/** Markers within this share of the axis are shown with the step. */
const NEAR = 0.015;

function tipText({ lines, unit, view, markers, thresholds }: TimeSeriesProps, axis: StepAxis, step: number): TipText {
  return {
    title: view.stepWords(step),
    rows: lines.map((line) => ({
      color: line.color,
      dash: line.dash,
      name: line.name,
      value: formatValue(valueOfLine(line, view.timeline, step), unit),
    })),
    notes: [
      ...markers.filter((marker) => Math.abs(axis.position(marker.step) - axis.position(step)) < NEAR),
      ...thresholds.map(({ value, words }) => ({ words: `${words} ${formatValue(value, unit)}` })),
    ].map(({ words }) => words),
  };
}
