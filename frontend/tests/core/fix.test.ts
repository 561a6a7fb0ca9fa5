import { describe, expect, it } from "vitest";
import { fixOf } from "../../src/core/fix";
import { finding, layer, RULES } from "../samples";

const codeOf = (changes: Parameters<typeof finding>[0], of = layer(), last: number | null = 0.3, lowest = last) =>
  fixOf(finding(changes), of, { last, lowest })?.code;

const UNKNOWN = { last: null, lowest: null };

describe("the suggested change", () => {
  it("lowers the rate and makes dying units leaky", () => {
    expect(codeOf({})).toBe(
      'model.optimizer.learning_rate = 0.03  # was 0.3\n\n# if units still die:\nkeras.layers.Dense(..., activation="leaky_relu", name="dense")',
    );
    expect(codeOf({}, layer({ class_name: "ReLU", name: "net/block/out@2" }), null)).toBe(
      'model.optimizer.learning_rate = 0.1 * model.optimizer.learning_rate\n\n# if units still die:\nkeras.layers.LeakyReLU(negative_slope=0.1, name="out")',
    );
  });

  it("sets a rate back that has risen", () => {
    const lowered = "model.optimizer.learning_rate = 0.001  # was 0.1";
    expect(codeOf({}, layer(), Math.fround(0.1), Math.fround(0.001))).toContain(lowered);
    expect(codeOf({}, layer(), 0.1, 0.02)).toContain("learning_rate = 0.01  # was 0.1");
  });

  it("initializes units that were dead from the start", () => {
    const start = 'kernel_initializer="he_normal", bias_initializer="zeros"';
    expect(codeOf({ since_step: 0 })).toContain(start);
    const advice = "The units hardly fired at the start, and died soon. Start the bias of dense at zero";
    expect(codeOf({ since_step: 2, advice })).toContain(start);
  });

  it("replaces a bounded activation, else normalizes", () => {
    const vanishing = { rule: "vanishing_gradient" };
    expect(codeOf(vanishing, layer({ activation: "sigmoid" }))).toContain('activation="relu"');
    expect(codeOf(vanishing)).toContain("BatchNormalization(),  # add before dense");
  });

  it("clips what explodes, and looks at data that are not finite", () => {
    expect(codeOf({ rule: "exploding_gradient" })).toContain("clipnorm = 1.0");
    const advice = "Lower the learning rate from 0.3 (try 0.004) or warm it up, clip gradients (clipnorm=56.7), and";
    expect(codeOf({ rule: "exploding_gradient", advice })).toContain("clipnorm = 56.7");
    expect(codeOf({ rule: "nonfinite", origin: "data" })).toContain("np.isfinite(x)");
  });

  it("clips no NaN of the loss, and observes what was not seen", () => {
    expect(codeOf({ rule: "nonfinite", origin: "loss" })).toBeUndefined();
    for (const origin of ["unseen", "suspected"]) {
      expect(codeOf({ rule: "nonfinite", origin })).toBe("LayerHealth(log_dir, update_freq=1)");
    }
    expect(codeOf({ rule: "nonfinite", origin: "unknown" })).toContain("clipnorm = 1.0");
  });

  it("ends a layer in the activation that the advice names", () => {
    const advice =
      "Standardize the inputs first. End net/out in softplus, so that its outputs stay above zero: the logarithm";
    const code = 'activation="softplus"  # of net/out';
    expect(codeOf({ rule: "nonfinite", origin: "loss", advice })).toBe(code);
    expect(fixOf(finding({ rule: "nonfinite_loss", advice }), null, UNKNOWN)?.code).toBe(code);
    expect(fixOf(finding({ rule: "nonfinite_loss", advice: "Check the loss." }), null, UNKNOWN)).toBeNull();
  });

  it("ends a network whose outputs are dead in what the advice names", () => {
    const advice = "Standardize the targets first. End density in linear instead of relu: an output of zero has";
    expect(codeOf({ rule: "dead_units", sign: "dead_output", advice })).toBe("activation=None  # of density");
    const positive = "End rate in softplus instead of relu: an output of zero has no gradient";
    expect(codeOf({ rule: "dead_units", sign: "dead_output", advice: positive })).toBe(
      'activation="softplus"  # of rate',
    );
  });

  it("gives a vector and a column the same shape", () => {
    const code = fixOf(finding({ rule: "no_learning", sign: "all_pairs" }), null, UNKNOWN)?.code;
    expect(code).toBe("column = keras.ops.squeeze(column, axis=-1)");
    expect(fixOf(finding({ rule: "no_learning", sign: "loss" }), null, UNKNOWN)?.code).toContain("epochs=200");
  });

  it("leaves the user's own training step to the user", () => {
    expect(codeOf({ rule: "stagnant_weights", sign: "left_out" })).toBeUndefined();
  });

  it("raises a rate that is too low", () => {
    expect(codeOf({ rule: "stagnant_weights", sign: "still" })).toBe("model.optimizer.learning_rate = 3  # was 0.3");
  });

  it("raises no rate where the gradient is too small for any", () => {
    const advice = "The gradient is too small for any usual learning rate: use an initializer that keeps";
    expect(codeOf({ rule: "stagnant_weights", sign: "still", advice })).toContain("kernel_initializer");
    expect(codeOf({ rule: "learning_rate", sign: "too_low", advice })).toBeUndefined();
  });

  it("takes the rate that the advice names", () => {
    const stagnant = { rule: "stagnant_weights", sign: "still" };
    const codes = [
      codeOf({ ...stagnant, advice: "Raise the learning rate: 0.0051 makes the largest steps about 0.01." }),
      codeOf({ rule: "learning_rate", sign: "leap", advice: "Lower the learning rate: about 2e-5 instead of 0.3." }),
      codeOf({ rule: "exploding_gradient", advice: "Lower the learning rate from 0.3 (try 0.004) or warm it up." }),
    ];
    expect(codes).toEqual([
      "model.optimizer.learning_rate = 0.0051  # was 0.3",
      "model.optimizer.learning_rate = 0.00002  # was 0.3",
      "model.optimizer.clipnorm = 1.0\nmodel.optimizer.learning_rate = 0.004  # was 0.3",
    ]);
    const unclear = "Lower the learning rate (try nan), or clip.";
    expect(codeOf({ ...stagnant, advice: unclear })).toBe("model.optimizer.learning_rate = 3  # was 0.3");
  });

  it("is none where only looking helps, and for a rule of a later version", () => {
    expect(fixOf(finding({ rule: "no_gradient" }), layer(), UNKNOWN)).toBeNull();
    expect(fixOf(finding({ rule: "later" }), layer(), UNKNOWN)).toBeNull();
    for (const { id } of RULES) expect(() => fixOf(finding({ rule: id, layer: "" }), null, UNKNOWN)).not.toThrow();
  });
});
