import constants from "./constants.json";
import { formatValue } from "./format";
import type { Finding, Layer } from "./types";

/** A change to try. */
export interface Fix {
  /** What the code changes, in a few words. */
  readonly about: string;
  /** Python. */
  readonly code: string;
}

/** The learning rate at the last step, and the lowest one before; null if unknown. */
export interface Rates {
  readonly last: number | null;
  readonly lowest: number | null;
}

/** The same, and the rate that the advice names. */
interface AdvisedRates extends Rates {
  readonly named: number | null;
}

const LOWER = 1 / constants.risen;

const ACTIVATION_LAYERS: Readonly<Record<string, string>> = { ReLU: "relu", Activation: "activation" };

/**
 * The change to try first, for Keras; null where only looking helps.
 *
 * @param layer null for the training as a whole.
 * @param known rates of the run.
 */
export function fixOf(finding: Finding, layer: Layer | null, known: Rates): Fix | null {
  const rates = { ...known, named: named(finding.advice) };
  switch (finding.rule) {
    case "dead_units":
      return layer === null ? null : deadUnits(finding, layer, rates);
    case "dormant_units":
    case "collapsed_layer":
      return layer === null ? null : normalizedBefore(layer);
    case "saturated_units":
    case "vanishing_gradient":
      return layer === null ? null : freed(layer);
    case "poor_init":
      return layer === null ? null : initialized(layer);
    case "exploding_gradient":
    case "loss_spike":
      return clipped(finding.advice, rates);
    case "nonfinite":
      return ended(finding.advice) ?? broken(finding, rates);
    case "nonfinite_loss":
      return ended(finding.advice);
    case "nonfinite_data":
      return finiteRows();
    case "stagnant_weights":
      // What the training step trains is in the user's own code.
      if (finding.sign === "left_out") return null;
      if (finding.advice.includes(constants.tooSmallPhrase)) return layer === null ? null : initialized(layer);
      return learningRate(rates, finding.sign === "still" ? 10 : LOWER);
    case "learning_rate":
      if (finding.advice.includes(constants.tooSmallPhrase)) return null;
      return learningRate(rates, finding.sign === "too_low" || finding.sign === "zero" ? 10 : LOWER);
    case "no_learning":
      if (finding.sign === "all_pairs") {
        return { about: "Give both the same shape", code: "column = keras.ops.squeeze(column, axis=-1)" };
      }
      return { about: "See whether the network can fit a single batch", code: "model.fit(x[:32], y[:32], epochs=200)" };
    case "unfit_head":
      return finding.sign === "one_unit" && layer !== null
        ? { about: "Use sigmoid for a single unit", code: called(layer, ["1", 'activation="sigmoid"']) }
        : null;
    default:
      return null;
  }
}

function deadUnits(finding: Finding, layer: Layer, rates: AdvisedRates): Fix {
  const end = endedInstead(finding.advice);
  if (end !== null) return end;
  if (finding.since_step === 0 || finding.advice.includes(constants.startPhrase)) return initialized(layer);
  const lower = learningRate(rates, LOWER);
  const leaky =
    layer.class_name in ACTIVATION_LAYERS
      ? `keras.layers.LeakyReLU(negative_slope=0.1, name=${name(layer)})`
      : called(layer, ["...", 'activation="leaky_relu"']);
  return {
    about: "Lower the learning rate; if units still die, let them pass a small gradient",
    code: `${lower.code}\n\n# if units still die:\n${leaky}`,
  };
}

function initialized(layer: Layer): Fix {
  const initializer = constants.forHe.includes(layer.activation ?? "") ? "he_normal" : "glorot_uniform";
  const kernel = `kernel_initializer="${layer.activation === "selu" ? "lecun_normal" : initializer}"`;
  if (layer.class_name in ACTIVATION_LAYERS) {
    return {
      about: "Initialize the layer before it for this activation",
      code: `kernel_initializer="he_normal", bias_initializer="zeros"  # of the layer before ${layer.name}`,
    };
  }
  return {
    about: "Initialize the layer for its activation",
    code: called(layer, ["...", kernel, 'bias_initializer="zeros"']),
  };
}

function freed(layer: Layer): Fix {
  // A softmax belongs where it is.
  const isReplaced = constants.bounded.includes(layer.activation ?? "") && layer.activation !== "softmax";
  if (!isReplaced) return normalizedBefore(layer);
  return {
    about: "Replace the bounded activation",
    code: called(layer, ["...", 'activation="relu"', 'kernel_initializer="he_normal"']),
  };
}

function normalizedBefore(layer: Layer): Fix {
  return {
    about: "Normalize what enters the layer",
    code: `keras.layers.BatchNormalization(),  # add before ${layer.name}`,
  };
}

/** The learning rate that a text says to try; null without one. */
function named(advice: string): number | null {
  for (const phrase of constants.ratePhrases) {
    const rest = advice.split(phrase)[1] ?? "";
    const rate = Number.parseFloat(rest);
    if (rate > 0 && Number.isFinite(rate)) return rate;
  }
  return null;
}

function learningRate({ last: rate, lowest, named: better }: AdvisedRates, factor: number): Fix {
  const known = rate !== null && rate > 0 && Number.isFinite(rate);
  const isRisen = known && factor < 1 && lowest !== null && lowest * constants.risen <= rate;
  const computed = known
    ? `${Number((isRisen ? lowest : rate * factor).toPrecision(3))}`
    : `${factor} * model.optimizer.learning_rate`;
  const value = better === null ? computed : `${better}`;
  const was = known ? `  # was ${formatValue(rate)}` : "";
  return {
    about: factor < 1 ? "Lower the learning rate" : "Raise the learning rate",
    code: `model.optimizer.learning_rate = ${value}${was}`,
  };
}

function clipped(advice: string, rates: AdvisedRates): Fix {
  const norm = Number.parseFloat(advice.split(constants.clipPhrase)[1] ?? "");
  return {
    about: "Clip gradients and lower the learning rate, before fit",
    code: `model.optimizer.clipnorm = ${norm > 1 && Number.isFinite(norm) ? norm : "1.0"}\n${learningRate(rates, LOWER).code}`,
  };
}

/** By where NaN began. No gradient of a loss that is NaN can be clipped. */
function broken(finding: Finding, rates: AdvisedRates): Fix | null {
  if (finding.origin === "data") return finiteRows();
  if (finding.origin === "loss") return null;
  if (finding.origin === "unseen" || finding.origin === "suspected") {
    return { about: "Observe every step, to see where it begins", code: "LayerHealth(log_dir, update_freq=1)" };
  }
  return clipped(finding.advice, rates);
}

/** The activation that the advice ends a layer in. */
function ended(advice: string): Fix | null {
  const [before = "", ...after] = advice.split(constants.endedPhrase);
  const [layer, activation] = (before.split("End ").pop() ?? "").split(/ in (\w+)$/);
  if (after.length === 0 || !layer || !activation) return null;
  return { about: "Keep outputs above zero", code: `activation="${activation}"  # of ${layer}` };
}

/** The activation that the advice ends a network in whose outputs are dead. */
function endedInstead(advice: string): Fix | null {
  const [before = "", ...after] = advice.split(constants.insteadPhrase);
  const [layer, activation] = (before.split("End ").pop() ?? "").split(/ in (\w+)$/);
  if (after.length === 0 || !layer || !activation) return null;
  return {
    about: "Let a gradient pass below zero",
    code: `activation=${activation === "linear" ? "None" : `"${activation}"`}  # of ${layer}`,
  };
}

function finiteRows(): Fix {
  return {
    about: "Drop samples that are not finite",
    code: "keep = np.isfinite(x).all(axis=tuple(range(1, x.ndim)))\nx, y = x[keep], y[keep]",
  };
}

function called(layer: Layer, parts: readonly string[]): string {
  return `keras.layers.${layer.class_name}(${[...parts, `name=${name(layer)}`].join(", ")})`;
}

/** The name that the constructor takes: without the models around it, and for all calls. */
function name({ name: path }: Layer): string {
  return JSON.stringify(path.replace(/@\d+$/, "").replace(/^.*\//, ""));
}
