import { expect, it } from "vitest";
import { lastMeasured, plottedSeries, tellingStatistics } from "../src/core/points";

const VALUES = Float32Array.from([1, 0, Number.NaN, Number.POSITIVE_INFINITY, -2]);

it("tells apart what has no place on the axis", () => {
  expect(plottedSeries(VALUES, "log")).toEqual({ line: [1, null, null, null, null], below: [1, 4], infinite: [3] });
  expect(plottedSeries(VALUES, "linear")).toEqual({ line: [1, 0, null, null, -2], below: [], infinite: [3] });
});

it("finds the last measured value", () => {
  expect(lastMeasured(Float32Array.from([1, 2, Number.NaN]))).toBe(1);
  expect(lastMeasured(Float32Array.from([Number.NaN]))).toBe(-1);
});

it("shows first what tells most about the finding, out of what was recorded", () => {
  expect(tellingStatistics("dead_units", ["std", "silent_fraction", "mean"])).toEqual(["silent_fraction", "std"]);
  expect(tellingStatistics("a_new_rule", ["std"])).toEqual(["std"]);
  expect(tellingStatistics(undefined, ["a", "b"])).toEqual(["a", "b"]);
});
