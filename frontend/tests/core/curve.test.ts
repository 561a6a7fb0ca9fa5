import { expect, it } from "vitest";
import { PLAIN, readCurve, smoothed, usualExtent, writeCurve } from "../../src/core/curve";

it("survives the address", () => {
  const curve = { smoothing: 0.6, scale: "log", hidesOutliers: true } as const;
  expect(readCurve(writeCurve(curve))).toEqual(curve);
  expect(writeCurve(PLAIN)).toBeUndefined();
  expect(readCurve(undefined)).toEqual(PLAIN);
  expect(readCurve("7,cubic,<b>")).toEqual(PLAIN);
});

it("smooths without pulling the start towards zero, and around values that are not finite", () => {
  expect([...smoothed(Float32Array.from([4, 4, 4]), 0.9)]).toEqual([4, 4, 4]);
  const jumpy = smoothed(Float32Array.from([0, Number.NaN, 10, Number.POSITIVE_INFINITY, 0]), 0.5);
  expect(jumpy[1]).toBeNaN();
  expect(jumpy[3]).toBe(Number.POSITIVE_INFINITY);
  expect(jumpy[2]).toBeCloseTo(10 / 1.5);
});

it("never smooths zero into a small positive value on a logarithmic axis", () => {
  expect([...smoothed(Float32Array.from([4, 0, 4, 0]), 0.5, true)]).toEqual([4, 0, 4, 0]);
  expect(smoothed(Float32Array.from([4, 0]), 0.5)[1]).toBeGreaterThan(0);
});

it("finds the usual range of values with outliers, and none without", () => {
  const values = Float32Array.from({ length: 100 }, (_, index) => (index === 50 ? 1e6 : index % 10));
  expect(usualExtent(values)).toEqual({ low: 0, high: 9 });
  expect(usualExtent(values.map((value) => Math.min(9, value)))).toBeNull();
  expect(usualExtent(Float32Array.from([1, 1e6]))).toBeNull();
});
