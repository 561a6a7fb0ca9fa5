import { expect, it } from "vitest";
import { limitsOf } from "../../src/core/limits";

it("draws the thresholds of this run over the statistic that they judge", () => {
  const thresholds = { dead_units: { warning_share: 0.4, problem_share: null } };
  expect(limitsOf("silent_fraction", thresholds, () => "Dead units")).toEqual([
    { value: 0.4, words: "Dead units: warning share" },
  ]);
  expect(limitsOf("std", thresholds, () => "")).toEqual([]);
});
