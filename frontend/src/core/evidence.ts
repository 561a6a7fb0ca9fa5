import type { Finding, ScaleKind } from "./types";

/** What shows a finding over time. */
export interface Evidence {
  /** The columns to load, of the layer or of the training. */
  readonly layerStats: readonly string[];
  readonly stepStats: readonly string[];
  readonly title: string;
  readonly unit: string;
  readonly scale: ScaleKind;
  /** Whether the finding's threshold is one of this quantity. */
  readonly hasThreshold: boolean;
  /** The quantity at one step, from the values of `layerStats` and then `stepStats`. */
  combine(values: readonly number[]): number;
}

const only = ([value = Number.NaN]: readonly number[]) => value;

function direct(id: string, title: string, unit: string, scale: ScaleKind, hasThreshold = true): Evidence {
  return { layerStats: [id], stepStats: [], title, unit, scale, hasThreshold, combine: only };
}

const ELASTICITY: Evidence = {
  layerStats: ["weight_gradient_norm", "weight_norm"],
  stepStats: ["loss"],
  title: "Elasticity of the loss",
  unit: "",
  scale: "log",
  hasThreshold: true,
  combine: ([gradient = Number.NaN, weight = Number.NaN, loss = Number.NaN]) => (gradient * weight) / Math.abs(loss),
};
const UPDATE_RATIO = direct("update_ratio", "Update-to-weight ratio", "", "log");
const RANGE: Evidence = {
  layerStats: ["min", "max", "mean", "std"],
  stepStats: [],
  title: "Largest output over the root mean square",
  unit: "",
  scale: "log",
  hasThreshold: true,
  combine: ([min = Number.NaN, max = Number.NaN, mean = Number.NaN, std = Number.NaN]) =>
    Math.max(Math.abs(min), Math.abs(max)) / Math.hypot(mean, std),
};
const LOSS: Evidence = {
  layerStats: [],
  stepStats: ["loss"],
  title: "Loss",
  unit: "",
  scale: "linear",
  hasThreshold: false,
  combine: only,
};

/** By what the rule saw. A quantity that is not recorded is replaced by a related one without threshold. */
const BY_SIGN: Readonly<Record<string, Evidence>> = {
  dead_share: direct("silent_fraction", "Share of units silent in the step", "share", "linear"),
  dormant_share: direct("unit_std", "Spread of the units", "", "log", false),
  saturated_share: direct("saturated_fraction", "Share of outputs saturated", "share", "linear"),
  closed: direct("saturated_fraction", "Share of gate values at the ends", "share", "linear"),
  open: direct("saturated_fraction", "Share of gate values at the ends", "share", "linear"),
  constant: direct("sample_std", "Spread over samples", "", "log"),
  logit: direct("logit_max", "Largest attention logit", "", "log"),
  entropy: direct("attention_entropy", "Attention entropy", "share", "linear"),
  similarity: direct("head_similarity", "Head similarity", "", "linear"),
  range: RANGE,
  sample_spread: direct("sample_std", "Spread over samples", "", "log", false),
  elasticity: ELASTICITY,
  step: UPDATE_RATIO,
  still: UPDATE_RATIO,
  restless: UPDATE_RATIO,
  weights: direct("weight_nonfinite", "Non-finite weights", "count", "linear"),
  outputs: direct("nonfinite", "Non-finite outputs", "count", "linear"),
  gradients: direct("gradient_nonfinite", "Non-finite gradients", "count", "linear"),
  growth: direct("weight_gradient_norm", "Gradient norm of the weights", "", "log", false),
  zero: direct("weight_gradient_norm", "Gradient norm of the weights", "", "log", false),
  signal: direct("std", "Standard deviation of the outputs", "", "log", false),
};

const GAIN = direct("std", "Standard deviation of the outputs", "", "log", false);

export function evidenceOf({ layer, rule, sign }: Finding): Evidence {
  if (layer === "" || (rule === "exploding_gradient" && sign === "loss")) return LOSS;
  return BY_SIGN[sign] ?? GAIN;
}
