import { expect, it } from "vitest";
import { lineRuns, profilePoints } from "../../src/core/profile";
import { valueScale } from "../../src/core/scale";

const of = (...values: number[]) => Float32Array.from(values);

it("separates values that are off a logarithmic scale", () => {
  const values = of(1, 0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 100);
  expect(profilePoints(values, valueScale("log", values))).toEqual([
    { kind: "value", position: 0 },
    { kind: "zero" },
    { kind: "missing" },
    { kind: "infinite", isNegative: false },
    { kind: "infinite", isNegative: true },
    { kind: "value", position: 1 },
  ]);
});

it("gives zero a place on a linear scale", () => {
  expect(profilePoints(of(0, 2), valueScale("linear", of(0, 2)))[0]).toEqual({ kind: "value", position: 0 });
});

it("shows zeros even when nothing else was measured", () => {
  expect(profilePoints(of(0, 0), valueScale("log", of(0, 0)))).toEqual([{ kind: "zero" }, { kind: "zero" }]);
});

it("draws a line past layers without a value, and ends it where the value is zero or infinite", () => {
  const values = of(1, Number.NaN, 10, 0, 100, Number.POSITIVE_INFINITY);
  const runs = lineRuns(profilePoints(values, valueScale("log", values)));
  expect(runs.map((run) => run.map(({ row }) => row))).toEqual([[0, 2], [4]]);
});
