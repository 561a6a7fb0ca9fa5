import { nice, ticks } from "d3-array";
import { linearMapping, logMapping, symlogMapping } from "./mapping";
import type { ScaleKind } from "./types";
import { unreachable } from "./unreachable";

/** Maps the values of one picture to [0, 1]. Values off the scale are handled by the caller. */
export interface ValueScale {
  readonly kind: ScaleKind;
  readonly low: number;
  readonly high: number;
  /** Whether 0 is the middle and the two directions have different colors. */
  readonly diverging: boolean;
  /** In [0, 1] for finite values inside the range. Values of zero and below are off a logarithmic scale. */
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
      return "symmetric log";
    default:
      return unreachable(kind);
  }
}

/** How many decades below the largest absolute value a symmetric-log scale becomes linear. */
const SYMLOG_DECADES = 4;
const TICKS = 4;

export interface Extent {
  readonly low: number;
  readonly high: number;
}

/** Smallest and largest finite value above `floor`; null if there is none. */
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

/** The range that a statistic has by definition; null if it has none. */
export function naturalExtent(statistic: string): Extent | null {
  return statistic.endsWith("_fraction") ? { low: 0, high: 1 } : null;
}

/** The scale of `kind` over `bounds`, else over the values that fit it; null if no value fits. */
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
  const [from, to] = roundEnds(diverging ? [-reach, reach] : widen(low, high));
  return {
    kind: "linear",
    low: from,
    high: to,
    diverging,
    position: linearMapping(from, to).position,
    ticks: ticks(from, to, TICKS),
  };
}

function logarithmic({ low, high }: Extent): ValueScale {
  const [from, to] = low === high ? [low / 10, high * 10] : [roundDown(low), roundUp(high)];
  return {
    kind: "log",
    low: from,
    high: to,
    diverging: false,
    position: logMapping(from, to).position,
    ticks: powersOfTen(from, to),
  };
}

/** Values of one sign within this factor are easiest to compare on a linear scale. */
const NARROW = 100;

function symmetric({ low, high }: Extent): ValueScale {
  if ((low > 0 && high < low * NARROW) || (high < 0 && low > high * NARROW)) return linear({ low, high });
  const reach = roundUp(Math.max(Math.abs(low), Math.abs(high)) || 1);
  const diverging = low < 0;
  const constant = reach / 10 ** SYMLOG_DECADES;
  const from = diverging ? -reach : 0;
  const { position } = symlogMapping(from, reach, constant);
  const middle = reach / 10 ** (SYMLOG_DECADES / 2);
  const shown = diverging ? [-reach, -middle, 0, middle, reach] : [0, middle, reach];
  return { kind: "symlog", low: from, high: reach, diverging, position, ticks: shown };
}

const roundEnds = ([low, high]: [number, number]): [number, number] => nice(low, high, TICKS);

/** 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-6);
  const lead = [1, 2, 5].find((each) => value <= each * power * (1 + 1e-6)) ?? 10;
  return Number((lead * power).toPrecision(3));
}

function roundDown(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-6);
  const lead = [5, 2].find((each) => value >= each * power * (1 - 1e-6)) ?? 1;
  return Number((lead * power).toPrecision(3));
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
/** Absolute values this many times the median would flatten the rest of the line on a linear axis. */
const SPIKE = 1000;
/** A loss this many times the median would hide everything else. */
const BLOW_UP = 100;

/** The axis on which a line of these values is easiest to read, given the recommended scale of the statistic. */
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

/** Median absolute value of the finite nonzero values; 1 if there are none. */
export function medianSize(values: Float32Array): number {
  const sizes = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  sizes.sort();
  return sizes[sizes.length >> 1] ?? 1;
}

/** Index of the last recorded step up to `step`; 0 if all come after it; -1 without steps. */
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

/** Index of the recorded step nearest to `step`, the earlier one of two; -1 without steps. */
export function nearestStep(steps: readonly number[], step: number): number {
  const before = indexOfStep(steps, step);
  const [low, high] = [steps[before], steps[before + 1]];
  return low !== undefined && high !== undefined && high - step < step - low ? before + 1 : before;
}
