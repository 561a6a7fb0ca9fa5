import { expect, it } from "vitest";
import { evidenceOf } from "../../src/core/evidence";
import { finding } from "../samples";

it("compares only the rule's own quantity with its threshold", () => {
  expect(evidenceOf(finding({ sign: "dead_share" }))).toMatchObject({
    statistic: "silent_fraction",
    hasThreshold: true,
  });
  expect(evidenceOf(finding({ sign: "elasticity" }))).toMatchObject({ statistic: "elasticity", hasThreshold: true });
  expect(evidenceOf(finding({ sign: "dormant_share" })).hasThreshold).toBe(false);
  expect(evidenceOf(finding({ sign: "unheard of" })).hasThreshold).toBe(false);
});

it("shows the loss for the training as a whole", () => {
  const ofLoss = { statistic: "loss", isOfLayer: false };
  expect(evidenceOf(finding({ layer: "", sign: "zero" }))).toMatchObject(ofLoss);
  expect(evidenceOf(finding({ rule: "exploding_gradient", sign: "loss" }))).toMatchObject(ofLoss);
  expect(evidenceOf(finding()).isOfLayer).toBe(true);
});
