import { formatCount, formatValue } from "./format";
import type { Threshold } from "./types";

/** Positions of a logarithmic slider per power of ten. */
const PER_DECADE = 20;
const DIGITS = 2;
/** Of a value that was computed, so that 0.1 * 3 reads 0.3. */
const EXACT = 12;

/** The range of positions of a slider; all are whole numbers. */
export function lastPosition({ scale, start, end, step }: Threshold): number {
  return Math.round(scale === "log" ? Math.log10(end / start) * PER_DECADE : (end - start) / step);
}

/** The nearest position; at an end of the slider for values beyond it. */
export function positionOf(threshold: Threshold, value: number): number {
  const { scale, start, step } = threshold;
  const position = scale === "log" ? Math.log10(Math.max(value, start) / start) * PER_DECADE : (value - start) / step;
  return Math.min(lastPosition(threshold), Math.max(0, Math.round(position)));
}

/** The value at a position, as round as the distance of the positions allows. */
export function valueAt(threshold: Threshold, position: number): number {
  const { scale, start, end, step } = threshold;
  // The ends, the default and the value of the run are exact.
  for (const exact of [threshold.value, threshold.default, start, end]) {
    if (positionOf(threshold, exact) === position && exact >= start && exact <= end) return exact;
  }
  const value = scale === "log" ? rounded(start * 10 ** (position / PER_DECADE), DIGITS) : start + position * step;
  return allowed(threshold, rounded(value, EXACT));
}

/** A number as close to this one as the rule allows. */
export function allowed({ low, high, is_whole }: Threshold, value: number): number {
  return Math.min(high, Math.max(low, is_whole ? Math.round(value) : value));
}

/** The factor between a value and the number in its field: shares are in percent there. */
export function fieldFactor({ unit }: Threshold): number {
  return unit === "share" ? 100 : 1;
}

export function toField(threshold: Threshold, value: number): string {
  return String(rounded(value * fieldFactor(threshold), EXACT));
}

/** Null for a text that is not a number that the rule allows. */
export function fromField(threshold: Threshold, text: string): number | null {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  const value = rounded(number / fieldFactor(threshold), EXACT);
  return Number.isFinite(value) && allowed(threshold, value) === value ? value : null;
}

export function unitWord({ unit }: Threshold): string {
  switch (unit) {
    case "share":
      return "%";
    case "times":
      return "\u00d7";
    default:
      return unit;
  }
}

/** A value with its unit: "50%", "10 steps", "5\u00d7". */
export function thresholdText(threshold: Threshold, value: number): string {
  switch (threshold.unit) {
    case "share":
      return formatValue(value, "share");
    case "steps":
    case "samples":
      return `${formatCount(value)} ${threshold.unit}`;
    case "times":
      return `${formatValue(value)}\u00d7`;
    case "":
      return formatValue(value);
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}
