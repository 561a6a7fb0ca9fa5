import { format } from "d3-format";
import { naturalExtent } from "./scale";
import type { Finding, Layer, Statistic } from "./types";
import { unitWords } from "./unit_words";

const DIGITS = 3;
const SMALLEST = 1e-3;
const LARGEST = 1e5;
const ALMOST_ALL = 0.9995;
const grouped = format(",");
const DAY = 86_400;
const TWO_DAYS = 2 * DAY;

/** A count or a step: whole, digits grouped. */
export function formatCount(value: number): string {
  return grouped(value);
}

/**
 * A value in its unit, in the words of reports and logs (`tb_activations/records/formatting.py`): three digits, shares in
 * percent, counts grouped. NaN means that nothing was measured, null that the value was NaN or infinite.
 */
export function formatValue(value: number | string | null | undefined, unit = ""): string {
  if (value === null || value === undefined) return NOT_FINITE;
  if (typeof value === "string") return value;
  if (Number.isNaN(value)) return "no value";
  if (!Number.isFinite(value)) return NOT_FINITE;
  return formatMeasured(value, isShare(unit) ? "share" : unit);
}

const NOT_FINITE = "not finite";

/** Value or threshold of a finding. */
export function formatMeasured(value: number | null, unit: string): string {
  if (value === null) return NOT_FINITE;
  if (!Number.isFinite(value)) return numberText(value);
  switch (unit) {
    case "share":
      return shareText(value);
    case "count":
      return formatCount(value);
    case "":
      return numberText(value);
    default:
      return `${numberText(value)} ${unit}`;
  }
}

/** Three significant digits: "0.0124", "1230", "1.13e-4". NaN and infinity in words. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "infinity" : "-infinity";
  const rounded = threeDigits(value);
  const size = Math.abs(Number(rounded));
  // Adding 0 turns -0 into 0.
  if (size === 0 || (size >= SMALLEST && size < LARGEST)) return String(Number(rounded) + 0);
  const [mantissa = "", exponent = ""] = rounded.split("e");
  return `${Number(mantissa)}e${Number(exponent)}`;
}

/** In scientific notation. A tie goes to the even digit, as in Python. */
function threeDigits(value: number): string {
  const isTieAfterEven = /^-?\d\.\d[02468]50*e/.test(value.toExponential(50));
  const rounded = value.toExponential(DIGITS - 1);
  return isTieAfterEven ? rounded.replace(/^[^e]*/, value.toExponential(50).slice(0, value < 0 ? 5 : 4)) : rounded;
}

/** A share below 1 is never rounded to 100%. */
function shareText(value: number): string {
  return value < 1 && value >= ALMOST_ALL ? ">99.9%" : `${numberText(value * 100)}%`;
}

/** The statistic with its unit; the server sends shares without one, so their natural range identifies them. */
export function withUnit(statistic: Statistic): Statistic {
  return naturalExtent(statistic.id) === null ? statistic : { ...statistic, unit: "share" };
}

/** Whether values of this unit are parts of one and shown in percent. */
export function isShare(unit: string): boolean {
  return unit === "share" || unit === "fraction" || unit === "%";
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
  if (layer.units > 0) facts.push(plural(layer.units, unitWords(layer).one));
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
  return `${Math.round(seconds / 360) / 10} h`;
}
