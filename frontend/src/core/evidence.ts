import type { Finding, ScaleKind } from "./types";

/** What shows a finding over time: a statistic of its layer, or of the training. */
export interface Evidence {
  readonly statistic: string;
  readonly isOfLayer: boolean;
  readonly title: string;
  readonly unit: string;
  readonly scale: ScaleKind;
  /** Whether the finding's threshold is one of this quantity. */
  readonly hasThreshold: boolean;
}

function direct(id: string, title: string, unit: string, scale: ScaleKind, hasThreshold = true): Evidence {
  return { statistic: id, isOfLayer: true, title, unit, scale, hasThreshold };
}

const UPDATE_RATIO = direct("update_ratio", "Update-to-weight ratio", "", "log");
const LOSS: Evidence = { ...direct("loss", "Loss", "", "linear", false), isOfLayer: false };

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
  range: direct("max", "Activation max", "", "symlog", false),
  sample_spread: direct("sample_std", "Spread over samples", "", "log", false),
  elasticity: direct("elasticity", "Elasticity of the loss", "", "log"),
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
