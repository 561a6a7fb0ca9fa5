import uPlot from "uplot";
import type { StepAxis } from "../core/axis";
import type { Palette } from "../core/color";
import type { PlottedSeries } from "../core/points";
import type { Timeline } from "../core/timeline";
import { GLYPHS } from "./look";
import { drawPattern } from "./paint";
import type { DrawnLine, TimeLine } from "./series_data";

/** Where something happened, such as the beginning of a finding. */
export interface StepMarker {
  readonly step: number;
  readonly color: string;
  readonly glyph: keyof typeof GLYPHS;
  /** For people: "Dead units in conv_2". */
  readonly words: string;
}

/** A horizontal line. */
export interface ThresholdLine {
  readonly value: number;
  readonly words: string;
}

export const FONT = "11px Roboto, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
const canvasFont = () => FONT.replace("11px", `${11 * uPlot.pxRatio}px`);

/** Hatches the steps without a record. */
export function drawGaps(chart: uPlot, axis: StepAxis, palette: Palette): void {
  const { ctx, bbox } = chart;
  for (const { from, to } of axis.gaps) {
    const left = bbox.left + axis.position(from) * bbox.width;
    const right = bbox.left + axis.position(to) * bbox.width;
    drawPattern(ctx, "hatch", palette.hatch, [left, bbox.top, right - left, bbox.height], uPlot.pxRatio);
  }
}

/** A dashed line with the shape of its severity at each marker. */
export function drawMarkers(chart: uPlot, markers: readonly StepMarker[], timeline: Timeline): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.lineWidth = uPlot.pxRatio;
  ctx.font = canvasFont();
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  for (const { step, color, glyph } of markers) {
    const x = Math.round(chart.valToPos(timeline.at(step), "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = color;
    ctx.fillStyle = color;
    ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + 12 * uPlot.pxRatio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(GLYPHS[glyph], x, bbox.top);
  }
  ctx.restore();
}

export function drawThresholds(chart: uPlot, thresholds: readonly ThresholdLine[], palette: Palette): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = palette.warning;
  ctx.lineWidth = 1.2 * uPlot.pxRatio;
  ctx.setLineDash([6 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
  for (const { value } of thresholds) {
    const y = chart.valToPos(value, "y", true);
    if (!(y >= bbox.top && y <= bbox.top + bbox.height)) continue;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** Values that no line would show: sparse ones as points, those off the axis as bars at its ends. */
export function drawSpecials(chart: uPlot, drawn: readonly DrawnLine[], palette: Palette): void {
  const { ctx, bbox } = chart;
  const thickness = 3 * uPlot.pxRatio;
  const bottom = bbox.top + bbox.height - thickness;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  drawn.forEach(({ line, plotted }, index) => {
    drawPoints(chart, line, plotted);
    drawEdge(chart, line, plotted.below, bottom, thickness, index === 0 ? palette.text : line.color);
    drawEdge(chart, line, plotted.infinite, bbox.top, thickness, palette.alarm);
  });
  ctx.font = canvasFont();
  ctx.fillStyle = palette.text;
  ctx.textBaseline = "bottom";
  nameOnce(chart, drawn, "below", "zero", bottom - uPlot.pxRatio);
  ctx.textBaseline = "top";
  nameOnce(chart, drawn, "infinite", "not finite", bbox.top + thickness + uPlot.pxRatio);
  ctx.restore();
}

function drawPoints(chart: uPlot, line: TimeLine, { line: values, isSparse }: PlottedSeries): void {
  const { ctx } = chart;
  ctx.fillStyle = line.color;
  values.forEach((value, index) => {
    if (value === null || value === undefined) return;
    const isAlone = typeof values[index - 1] !== "number" && typeof values[index + 1] !== "number";
    if (!isSparse && !isAlone) return;
    ctx.beginPath();
    ctx.arc(positionOf(chart, line, index), chart.valToPos(value, "y", true), 2.5 * uPlot.pxRatio, 0, 2 * Math.PI);
    ctx.fill();
  });
}

/** Names the earliest bar of all lines, so that names never lie on top of each other. */
function nameOnce(
  chart: uPlot,
  drawn: readonly DrawnLine[],
  kind: "below" | "infinite",
  word: string,
  y: number,
): void {
  const places = drawn.flatMap(({ line, plotted }) => {
    const first = plotted[kind][0];
    return first === undefined ? [] : [positionOf(chart, line, first)];
  });
  if (places.length === 0) return;
  const { ctx, bbox } = chart;
  const width = ctx.measureText(word).width;
  const x = Math.max(bbox.left, Math.min(...places)) + 4 * uPlot.pxRatio;
  ctx.textAlign = "left";
  ctx.fillText(word, Math.min(x, bbox.left + bbox.width - width), y);
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
