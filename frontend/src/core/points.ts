import type { ScaleKind } from "./types";

/** One series in a line chart: the line, and the steps whose value is off the axis. */
export interface PlottedSeries {
  /** Null interrupts the line; undefined, where nothing was measured, does not. */
  readonly line: (number | null | undefined)[];
  /** Indices of steps with zero or less on a logarithmic axis. */
  readonly below: readonly number[];
  /** Indices of steps with a value that is not finite. */
  readonly infinite: readonly number[];
  /** Whether so few values were measured that each gets a point. */
  readonly isSparse: boolean;
}

/** Lines of up to this many values show each as a point. */
const FEW = 30;

export function plottedSeries(values: Float32Array, scale: ScaleKind): PlottedSeries {
  const line: (number | null | undefined)[] = [];
  const below: number[] = [];
  const infinite: number[] = [];
  let measured = 0;
  values.forEach((value, index) => {
    const isBelow = scale === "log" && value <= 0;
    if (Math.abs(value) === Number.POSITIVE_INFINITY) infinite.push(index);
    else if (isBelow) below.push(index);
    if (Number.isNaN(value)) line.push(undefined);
    else line.push(Number.isFinite(value) && !isBelow ? value : null);
    if (!Number.isNaN(value)) measured += 1;
  });
  return { line, below, infinite, isSparse: measured <= FEW };
}

/** The last index with a value, -1 if there is none. */
export function lastMeasured(values: Float32Array): number {
  return values.findLastIndex((value) => !Number.isNaN(value));
}

/** Rows of a frame of shape `[rows, steps]`. */
export function frameRow(data: Float32Array, row: number, stepCount: number): Float32Array {
  return data.subarray(row * stepCount, (row + 1) * stepCount);
}

/** The most relevant statistics for each rule, best first. */
const RELEVANT: Readonly<Record<string, readonly string[]>> = {
  dead_units: ["silent_fraction", "zero_fraction", "std", "gradient_norm"],
  dormant_units: ["unit_std", "silent_fraction", "std", "gradient_norm"],
  collapsed_layer: ["sample_std", "unit_std", "std", "gradient_norm"],
  vanishing_gradient: ["elasticity", "gradient_norm", "weight_gradient_norm", "update_ratio"],
  no_gradient: ["weight_gradient_norm", "gradient_norm", "update_ratio", "std"],
  exploding_gradient: ["elasticity", "update_ratio", "weight_gradient_norm", "max"],
  nonfinite: ["nonfinite", "gradient_nonfinite", "weight_nonfinite", "max"],
  attention_logits: ["logit_max", "attention_entropy", "heaviest_key", "std"],
  attention_collapse: ["attention_entropy", "head_similarity", "heaviest_key", "logit_max"],
  outliers: ["max", "min", "std", "gradient_norm"],
  stuck_gates: ["saturated_fraction", "mean", "sample_std", "std"],
  saturated_units: ["saturated_fraction", "std", "max", "gradient_norm"],
  stagnant_weights: ["update_ratio", "weight_gradient_norm", "weight_norm", "gradient_norm"],
  poor_init: ["std", "sample_std", "gradient_norm", "weight_norm"],
};
const GENERAL = ["std", "silent_fraction", "gradient_norm", "update_ratio"];

/** Statistics to show for a layer whose worst finding comes from `rule`. */
export function relevantStatistics(rule: string | undefined, available: readonly string[]): string[] {
  const wanted = (rule === undefined ? undefined : RELEVANT[rule]) ?? GENERAL;
  const known = wanted.filter((id) => available.includes(id));
  return known.length > 0 ? known : available.slice(0, GENERAL.length);
}
