import type uPlot from "uplot";
import type { StepAxis } from "../core/axis";
import type { Palette } from "../core/color";
import type { Timeline } from "../core/timeline";
import { GLYPHS } from "./look";
import type { DrawnLine } from "./series_data";
import type { StepMarker, ThresholdLine } from "./series_marks";
import { svgElement, svgText } from "./vector";

/** A tick of the vertical axis. */
export interface ValueTick {
  readonly value: number;
  readonly label: string;
}

export interface SeriesDrawing {
  readonly chart: uPlot;
  readonly drawn: readonly DrawnLine[];
  readonly axis: StepAxis;
  readonly timeline: Timeline;
  readonly palette: Palette;
  readonly ticks: readonly ValueTick[];
  readonly markers: readonly StepMarker[];
  readonly thresholds: readonly ThresholdLine[];
}

/** The line chart as SVG, for an exported picture. */
export function drawSeriesVector(drawing: SeriesDrawing, group: SVGGElement): void {
  const { chart, axis, palette, ticks } = drawing;
  const { offsetLeft: left, offsetTop: top, clientWidth: width, clientHeight: height } = chart.over;
  const x = (value: number) => left + chart.valToPos(value, "x");
  const y = (value: number) => top + chart.valToPos(value, "y");
  const text = { "font-family": "sans-serif", "font-size": 11, fill: palette.muted };
  const line = (d: string, stroke: string, rest: Readonly<Record<string, string | number>> = {}) =>
    group.append(svgElement("path", { d, stroke, fill: "none", ...rest }));
  for (const { value, label } of ticks) {
    line(`M${left} ${y(value)}h${width}`, palette.line);
    group.append(svgText(label, { ...text, x: left - 5, y: y(value) + 4, "text-anchor": "end" }));
  }
  for (const { position, label } of axis.ticks) {
    const place = left + position * width;
    group.append(svgText(label, { ...text, x: place, y: top + height + 14, "text-anchor": "middle" }));
  }
  for (const { from, to } of axis.gaps) {
    const start = left + axis.position(from) * width;
    const length = (axis.position(to) - axis.position(from)) * width;
    const box = { x: start, y: top, width: length, height, fill: palette.hatch, "fill-opacity": 0.25 };
    group.append(svgElement("rect", box));
  }
  for (const { value } of drawing.thresholds) {
    const place = y(value);
    if (place >= top && place <= top + height) line(`M${left} ${place}h${width}`, palette.warning, DASHED);
  }
  for (const { step, color, glyph } of drawing.markers) {
    if (!axis.shows(step)) continue;
    const place = x(drawing.timeline.at(step));
    line(`M${place} ${top + 12}V${top + height}`, color, { "stroke-dasharray": "3 3" });
    group.append(svgText(GLYPHS[glyph], { ...text, fill: color, x: place, y: top + 9, "text-anchor": "middle" }));
  }
  for (const { line: series, plotted, raw } of [...drawing.drawn].reverse()) {
    const path = (values: readonly (number | null | undefined)[]) =>
      pathOf(
        series.steps.map((step) => x(series.timeline.at(step))),
        values.map((value) => (typeof value === "number" ? y(value) : value)),
      );
    const style = { "stroke-width": 1.5, "stroke-dasharray": series.dash.join(" ") };
    if (raw !== null) line(path(raw.line), series.color, { ...style, opacity: 0.3 });
    line(path(plotted.line), series.color, style);
  }
}

const DASHED = { "stroke-width": 1.2, "stroke-dasharray": "6 3" };

/** Null interrupts the path, undefined does not. A single value becomes a point. */
export function pathOf(xs: readonly number[], ys: readonly (number | null | undefined)[]): string {
  let path = "";
  let isJoined = false;
  xs.forEach((x, index) => {
    const y = ys[index];
    if (y === undefined) return;
    if (y === null) {
      isJoined = false;
      return;
    }
    path += isJoined ? `L${x.toFixed(1)} ${y.toFixed(1)}` : `M${x.toFixed(1)} ${y.toFixed(1)}h.01`;
    isJoined = true;
  });
  return path;
}
