import { expect, it } from "vitest";
import { lastMeasured, plottedSeries, relevantStatistics } from "../../src/core/points";

const VALUES = Float32Array.from([1, 0, Number.NaN, Number.POSITIVE_INFINITY, -2]);

it("separates values that are off the axis", () => {
  expect(plottedSeries(VALUES, "log")).toEqual({
    line: [1, null, undefined, null, null],
    below: [1, 4],
    infinite: [3],
    isSparse: true,
  });
  expect(plottedSeries(VALUES, "linear")).toEqual({
    line: [1, 0, undefined, null, -2],
    below: [],
    infinite: [3],
    isSparse: true,
  });
});

it("marks values that were measured rarely, as once an epoch", () => {
  const rare = new Float32Array(1000).fill(Number.NaN);
  rare.fill(1, 900, 905);
  expect(plottedSeries(rare, "linear").isSparse).toBe(true);
  expect(plottedSeries(rare.fill(1), "linear").isSparse).toBe(false);
});

it("finds the last measured value", () => {
  expect(lastMeasured(Float32Array.from([1, 2, Number.NaN]))).toBe(1);
  expect(lastMeasured(Float32Array.from([Number.NaN]))).toBe(-1);
});

it("shows the recorded statistics that are most relevant for the rule", () => {
  expect(relevantStatistics("dead_units", ["std", "silent_fraction", "mean"])).toEqual(["silent_fraction", "std"]);
  expect(relevantStatistics("a_new_rule", ["std"])).toEqual(["std"]);
  expect(relevantStatistics(undefined, ["a", "b"])).toEqual(["a", "b"]);
});
