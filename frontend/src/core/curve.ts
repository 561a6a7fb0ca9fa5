import { type Extent, extentOf } from "./scale";

/** How line charts draw values. */
export interface Curve {
  /** Weight of the past in the moving average, 0 to 0.99; 0 draws the values only. */
  readonly smoothing: number;
  /** Undefined chooses the axis that suits the values. */
  readonly scale: "linear" | "log" | undefined;
  /** Whether single extreme values may leave the axis. */
  readonly hidesOutliers: boolean;
}

export const PLAIN: Curve = { smoothing: 0, scale: undefined, hidesOutliers: false };

/** For the address: "0.6,log,clip"; undefined for plain curves. */
export function writeCurve({ smoothing, scale, hidesOutliers }: Curve): string | undefined {
  const parts = [smoothing === 0 ? "" : String(smoothing), scale ?? "", hidesOutliers ? "clip" : ""];
  const text = parts.filter((part) => part !== "").join(",");
  return text === "" ? undefined : text;
}

/** Ignores what it does not know. */
export function readCurve(text: string | undefined): Curve {
  const parts = (text ?? "").split(",");
  const smoothing = Number(parts.find((part) => /^0?\.\d{1,3}$/.test(part)) ?? 0);
  const scale = (["linear", "log"] as const).find((each) => parts.includes(each));
  return { smoothing: Math.min(0.99, smoothing), scale, hidesOutliers: parts.includes("clip") };
}

/**
 * Exponential moving average as in TensorBoard: the start is not drawn towards zero. Values that have no place on the axis
 * are left out of it and stay as they are: those that are not finite, and on a logarithmic axis zero and less.
 */
export function smoothed(values: Float32Array, weight: number, isLog = false): Float32Array {
  let sum = 0;
  let total = 0;
  return values.map((value) => {
    if (!Number.isFinite(value) || (isLog && value <= 0)) return value;
    sum = sum * weight + (1 - weight) * value;
    total = total * weight + (1 - weight);
    return sum / total;
  });
}

/** Share of the values on each side that may be an outlier. */
const OUTLYING = 0.05;
/** Fewer values have no outliers. */
const FEW = 10;

/** The range of all but the most extreme values; null if none is extreme. */
export function usualExtent(values: Float32Array): Extent | null {
  const sorted = values.filter(Number.isFinite).sort();
  if (sorted.length < FEW) return null;
  const [low = 0, high = 0] = [
    sorted[Math.floor(sorted.length * OUTLYING)],
    sorted[Math.ceil(sorted.length * (1 - OUTLYING)) - 1],
  ];
  const whole = extentOf(values);
  const isSame = whole === null || (whole.high - whole.low) * 0.5 <= high - low;
  return isSame ? null : { low, high };
}
