import { expect, it } from "vitest";
import { evidenceOf } from "../../src/core/evidence";
import { finding } from "../samples";

it("compares only the rule's own quantity with its threshold", () => {
  expect(evidenceOf(finding({ sign: "dead_share" }))).toMatchObject({
    layerStats: ["silent_fraction"],
    hasThreshold: true,
  });
  expect(evidenceOf(finding({ sign: "dormant_share" })).hasThreshold).toBe(false);
  expect(evidenceOf(finding({ sign: "unheard of" })).hasThreshold).toBe(false);
});

it("computes the elasticity as the rule does", () => {
  const { layerStats, stepStats, combine } = evidenceOf(finding({ sign: "elasticity" }));
  expect([...layerStats, ...stepStats]).toEqual(["weight_gradient_norm", "weight_norm", "loss"]);
  expect(combine([0.5, 4, -2])).toBe(1);
  expect(combine([])).toBeNaN();
});

it("shows the loss for the training as a whole", () => {
  expect(evidenceOf(finding({ layer: "", sign: "zero" })).stepStats).toEqual(["loss"]);
  expect(evidenceOf(finding({ rule: "exploding_gradient", sign: "loss" })).layerStats).toEqual([]);
});
