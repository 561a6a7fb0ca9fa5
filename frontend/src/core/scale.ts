import { scaleLinear, scaleLog, scaleSymlog } from "d3-scale";
import { unreachable } from "./severity";
import type { ScaleKind } from "./types";

/** Maps the values of one picture to [0, 1]; what has no place on the scale is told apart. */
export interface ValueScale {
  readonly kind: ScaleKind;
  readonly low: number;
  readonly high: number;
  /** Whether 0 is the middle and the two directions differ. */
  readonly diverging: boolean;
  /** In [0, 1] for finite values inside the scale's range. Zero and less have no place on a logarithmic scale. */
  position(value: number): number;
  readonly ticks: readonly number[];
}

export function scaleName(kind: ScaleKind): string {
  switch (kind) {
    case "linear":
      return "linear";
    case "log":
      return "logarithmic";
    case "symlog":
      return "symmetric logarithmic";
    default:
      return unreachable(kind);
  }
}

/** How far below the largest size a symmetric-log scale goes over to linear. */
const SYMLOG_DECADES = 4;
const TICKS = 4;

export interface Extent {
  readonly low: number;
  readonly high: number;
}

/** Smallest and largest finite value above `floor`; null when there is none. */
export function extentOf(values: Float32Array, floor = Number.NEGATIVE_INFINITY): Extent | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value) || value <= floor) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : null;
}

/** The range a statistic has by its nature, whatever was measured; null when it has none. */
export function naturalExtent(statistic: string): Extent | null {
  return statistic.endsWith("_fraction") ? { low: 0, high: 1 } : null;
}

/** The scale of `kind` over `bounds` or else over what can be placed on it; null when there is nothing to place. */
export function valueScale(kind: ScaleKind, values: Float32Array, bounds: Extent | null = null): ValueScale | null {
  const measured = extentOf(values, kind === "log" ? 0 : Number.NEGATIVE_INFINITY);
  if (measured === null) return null;
  const extent = bounds ?? measured;
  switch (kind) {
    case "linear":
      return linear(extent);
    case "log":
      return logarithmic(extent);
    case "symlog":
      return symmetric(extent);
    default:
      return unreachable(kind);
  }
}

function linear({ low, high }: Extent): ValueScale {
  const diverging = low < 0 && high > 0;
  const reach = Math.max(-low, high);
  const [from, to] = diverging ? [-reach, reach] : widen(low, high);
  const scale = scaleLinear([from, to], [0, 1]).clamp(true);
  return {
    kind: "linear",
    low: from,
    high: to,
    diverging,
    position: (value) => scale(value),
    ticks: scale.ticks(TICKS),
  };
}

function logarithmic({ low, high }: Extent): ValueScale {
  const [from, to] = low === high ? [low / 10, high * 10] : [low, high];
  const scale = scaleLog([from, to], [0, 1]).clamp(true);
  return {
    kind: "log",
    low: from,
    high: to,
    diverging: false,
    position: (value) => scale(value),
    ticks: powersOfTen(from, to),
  };
}

/** Values of one sign within this factor are told apart best on a linear scale. */
const NARROW = 100;

function symmetric({ low, high }: Extent): ValueScale {
  if ((low > 0 && high < low * NARROW) || (high < 0 && low > high * NARROW)) return linear({ low, high });
  const reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const diverging = low < 0;
  const constant = reach / 10 ** SYMLOG_DECADES;
  const from = diverging ? -reach : 0;
  const scale = scaleSymlog([from, reach], [0, 1]).constant(constant).clamp(true);
  const middle = reach / 10 ** (SYMLOG_DECADES / 2);
  const ticks = diverging ? [-reach, -middle, 0, middle, reach] : [0, middle, reach];
  return { kind: "symlog", low: from, high: reach, diverging, position: (value) => scale(value), ticks };
}

function widen(low: number, high: number): [number, number] {
  if (low !== high) return [low, high];
  const margin = Math.abs(low) || 1;
  return [low - margin, high + margin];
}

function powersOfTen(low: number, high: number): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  if (last - first < 1) return [low, high];
  const stride = Math.ceil((last - first) / TICKS);
  const ticks: number[] = [];
  for (let exponent = first; exponent <= last; exponent += stride) ticks.push(10 ** exponent);
  return ticks;
}

/** Values within this factor gain nothing from a logarithmic axis. */
const FLAT = 8;
/** Sizes this many times the usual one would press a line flat on a linear axis. */
const SPIKE = 1000;
/** A loss that was this many times the usual one would hide everything that came after. */
const BLOW_UP = 100;

/** The axis on which a line of these values is read best, given the scale that suits the statistic. */
export function lineScale(kind: ScaleKind, values: Float32Array): ScaleKind {
  switch (kind) {
    case "linear": {
      const extent = extentOf(values);
      return extent !== null && extent.low > 0 && extent.high > BLOW_UP * medianSize(values) ? "log" : "linear";
    }
    case "log": {
      const extent = extentOf(values);
      return extent !== null && extent.low > 0 && extent.high <= extent.low * FLAT ? "linear" : "log";
    }
    case "symlog": {
      const extent = extentOf(values);
      if (extent === null) return "linear";
      const reach = Math.max(Math.abs(extent.low), Math.abs(extent.high));
      return reach > SPIKE * medianSize(values) ? "symlog" : "linear";
    }
    default:
      return unreachable(kind);
  }
}

/** Median absolute value of what is finite and not zero; 1 when there is none. */
export function medianSize(values: Float32Array): number {
  const sizes = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  sizes.sort();
  return sizes[sizes.length >> 1] ?? 1;
}

/** Index of the last recorded step that is not after `step`; the first one when all are after it; -1 without steps. */
export function indexOfStep(steps: readonly number[], step: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] ?? Number.POSITIVE_INFINITY) <= step) low = middle + 1;
    else high = middle;
  }
  return steps.length === 0 ? -1 : Math.max(0, low - 1);
}
