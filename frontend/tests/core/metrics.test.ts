import { describe, expect, it } from "vitest";
import { bestRuns, bestSentence, betterDirection, shownMetrics } from "../../src/core/metrics";

const A = { name: "a", metrics: { loss: 0.2, accuracy: 0.9, val_accuracy: 0.7, val_loss: 0.5 } };
const B = { name: "b", metrics: { loss: 0.1, accuracy: 0.95, val_accuracy: 0.6, val_loss: null } };

it("knows the better direction of common metrics", () => {
  expect(betterDirection("val_loss")).toBe("lower");
  expect(betterDirection("mean_absolute_error")).toBe("lower");
  expect(betterDirection("sparse_categorical_accuracy")).toBe("higher");
  expect(betterDirection("size")).toBeNull();
});

it("shows the loss, then the metrics of the validation, losses first", () => {
  expect(shownMetrics([A, B])).toEqual(["loss", "val_loss", "val_accuracy"]);
  expect(shownMetrics([{ metrics: { accuracy: 1, loss: 2 } }])).toEqual(["loss", "accuracy"]);
  expect(shownMetrics([])).toEqual([]);
});

describe("the best run", () => {
  it("is none if values are equal, missing or of unknown direction", () => {
    expect([...bestRuns([A, B], "loss")]).toEqual(["b"]);
    expect([...bestRuns([A, B], "val_loss")]).toEqual([]);
    expect([...bestRuns([A, A], "loss")]).toEqual([]);
    expect([...bestRuns([{ name: "a", metrics: { size: 1 } }, B], "size")]).toEqual([]);
  });

  it("is named only as far as the metrics agree", () => {
    const better = { name: "c", metrics: { loss: 0.05, val_accuracy: 0.8 } };
    expect(bestSentence([A, better], String)).toBe("c is better: loss 0.05 vs. 0.2, val_accuracy 0.8 vs. 0.7.");
    expect(bestSentence([A, B, better], String)).toBe("c is best: loss 0.05, val_accuracy 0.8.");
    expect(bestSentence([A, B], String)).toBe(
      "b has the best loss 0.1 vs. 0.2. a has the best val_accuracy 0.7 vs. 0.6.",
    );
    expect(bestSentence([A], String)).toBe("");
  });
});
