import { format } from "d3-format";
import { naturalExtent } from "./scale";
import type { Finding, FindingUnit, Layer, Statistic } from "./types";

const MINUS = "\u2212";
const plain = format(".4~g");
const scientific = format(".2~e");
/** Three digits, as in the texts of findings. */
const brief = format(".3~r");
const grouped = format(",");
const DAY = 86_400;
const TWO_DAYS = 2 * DAY;
const ALMOST_ALL = 0.9995;
const ratio = format(".3~p");

/** A count or a step: whole, digits grouped. */
export function formatCount(value: number): string {
  return grouped(value);
}

/** A number in a few digits. NaN and infinity are written out. */
export function formatValue(value: number | string | null | undefined, unit = ""): string {
  if (value === null || value === undefined) return "not finite";
  if (typeof value === "string") return value;
  if (Number.isNaN(value)) return "no value";
  if (!Number.isFinite(value)) return value > 0 ? "+\u221e" : `${MINUS}\u221e`;
  if (isShare(unit)) return formatShare(value);
  if (unit === "count") return formatCount(value);
  return numberText(value, plain) + (unit === "" ? "" : ` ${unit}`);
}

function numberText(value: number, usual: (value: number) => string): string {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? scientific(value) : usual(value);
  return text.replace("-", MINUS).replace("e+", "e");
}

/** Value or threshold of a finding, with as many digits as in its message and in reports. */
export function formatMeasured(value: number | null, unit: FindingUnit): string {
  return value === null || unit !== "" ? formatValue(value, unit) : numberText(value, brief);
}

/** The statistic with its unit; the server sends shares without one, so their natural range identifies them. */
export function withUnit(statistic: Statistic): Statistic {
  return naturalExtent(statistic.id) === null ? statistic : { ...statistic, unit: "share" };
}

/** Whether values of this unit are parts of one and shown in percent. */
export function isShare(unit: string): boolean {
  return unit === "share" || unit === "fraction" || unit === "%";
}

function formatShare(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-4) return `${scientific(value * 100).replace("-", MINUS)}%`;
  // Almost all must not read as all.
  if (value < 1 && value >= ALMOST_ALL) return ">99.9%";
  return ratio(value).replace("-", MINUS);
}

export function formatShape(shape: readonly (number | null)[]): string {
  return `[${shape.map((length) => (length === null ? "batch" : String(length))).join(", ")}]`;
}

/** "1 layer", "12 layers". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Text that ends with a punctuation mark, so that another sentence can follow. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** Evidence for a list: "share of units dead 78%". A formula in parentheses is dropped. */
export function briefEvidence({ quantity, value, unit }: Finding): string {
  return `${quantity.replace(/ *\([^)]*\)/g, "")} ${formatMeasured(value, unit)}`;
}

/** The threshold of a finding, next to its value. */
export function thresholdWords({ threshold, closing_threshold, unit }: Finding): string {
  if (unit === "count" && threshold === 0) return "none allowed";
  const closing = closing_threshold === null ? "" : `, closes at ${formatMeasured(closing_threshold, unit)}`;
  return `threshold ${formatMeasured(threshold, unit)}${closing}`;
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

/** Age in words, coarser with age. Small differences between clocks must not yield a time in the future. */
export function formatAge(seconds: number): string {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 2) return "just now";
  if (seconds < TWO_DAYS) return `${formatDuration(seconds)} ago`;
  return `${formatCount(Math.round(seconds / DAY))} days ago`;
}

/** A duration in seconds, in the largest fitting unit. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${plain(Math.round(seconds / 360) / 10)} h`;
}
