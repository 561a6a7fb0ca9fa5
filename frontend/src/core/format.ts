import { format } from "d3-format";
import { naturalExtent } from "./scale";
import type { Finding, Layer, Statistic } from "./types";

const MINUS = "\u2212";
const plain = format(".4~g");
const scientific = format(".2~e");
const grouped = format(",");
const DAY = 86_400;
const TWO_DAYS = 2 * DAY;
const ALMOST_ALL = 0.9995;
const ratio = format(".3~p");

/** A count or a step: whole, digits grouped. */
export function formatCount(value: number): string {
  return grouped(value);
}

/** A figure as short as it can be read; what is not a number is said in words. */
export function formatValue(value: number | string | null | undefined, unit = ""): string {
  if (value === null || value === undefined) return "not a number";
  if (typeof value === "string") return value;
  if (Number.isNaN(value)) return "no value";
  if (!Number.isFinite(value)) return value > 0 ? "+\u221e" : `${MINUS}\u221e`;
  if (isShare(unit)) return formatShare(value);
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? scientific(value) : plain(value);
  const suffix = unit === "" ? "" : ` ${unit}`;
  return text.replace("-", MINUS).replace("e+", "e") + suffix;
}

/** The statistic with its unit; shares come without one, and are told by their range. */
export function withUnit(statistic: Statistic): Statistic {
  return naturalExtent(statistic.id) === null ? statistic : { ...statistic, unit: "share" };
}

/** Whether a unit means a part of one, shown in percent. */
export function isShare(unit: string): boolean {
  return unit === "share" || unit === "fraction" || unit === "%";
}

function formatShare(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-4) return `${scientific(value * 100).replace("-", MINUS)} %`;
  // Almost all must not read as all.
  if (value < 1 && value >= ALMOST_ALL) return "> 99.9 %";
  return ratio(value).replace("%", " %").replace("-", MINUS);
}

export function formatShape(shape: readonly (number | null)[]): string {
  return `[${shape.map((length) => (length === null ? "batch" : String(length))).join(", ")}]`;
}

/** "4 of 12" kind of counting: one layer, two layers. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Shares are judged in percent; the wording of the quantity tells which figures are shares. */
export function quantityUnit(quantity: string): string {
  return /\bshare\b|\bfraction\b/i.test(quantity) ? "share" : "";
}

/** Evidence in few characters, for a list: "share of units dead 78 %"; a formula in brackets is left out. */
export function briefEvidence(finding: Finding): string {
  const unit = quantityUnit(finding.quantity);
  return `${finding.quantity.replace(/ *\([^)]*\)/g, "")} ${formatValue(finding.value, unit)}`;
}

export function layerFacts(layer: Layer): string {
  const facts = [layer.class_name];
  if (layer.output_shape.length > 0) facts.push(formatShape(layer.output_shape), layer.dtype);
  if (layer.activation !== null) facts.push(`activation ${layer.activation}`);
  if (layer.units > 0) facts.push(plural(layer.units, "unit"));
  if (layer.parameters > 0) facts.push(`${plural(layer.parameters, "weight")}${layer.trainable ? "" : " (frozen)"}`);
  if (layer.call_site > 0) facts.push(`call ${layer.call_site}`);
  return facts.join(" \u00b7 ");
}

/** How long ago something was, coarser the longer ago. Clocks that differ a little must not give a future. */
export function formatAge(seconds: number): string {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 2) return "just now";
  if (seconds < TWO_DAYS) return `${formatDuration(seconds)} ago`;
  return `${formatCount(Math.round(seconds / DAY))} days ago`;
}

/** Seconds of wall time between two moments, in the largest fitting unit. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${plain(Math.round(seconds / 360) / 10)} h`;
}
