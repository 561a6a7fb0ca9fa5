import { describe, expect, it } from "vitest";
import { indexOfStep, lineScale, naturalExtent, valueScale } from "../../src/core/scale";

const of = (...values: number[]) => Float32Array.from(values);

describe("valueScale", () => {
  it("maps linear values between lowest and highest, non-finite ones left out", () => {
    const scale = valueScale("linear", of(2, Number.NaN, 6, Number.POSITIVE_INFINITY));
    expect([scale?.low, scale?.high, scale?.diverging]).toEqual([2, 6, false]);
    expect(scale?.position(4)).toBeCloseTo(0.5);
    expect(scale?.position(100)).toBe(1);
  });

  it("puts zero in the middle when values lie on both sides", () => {
    for (const kind of ["linear", "symlog"] as const) {
      const scale = valueScale(kind, of(-1, 0.001, 10));
      expect(scale?.diverging).toBe(true);
      expect(scale?.position(0)).toBeCloseTo(0.5);
      expect(scale?.position(-10)).toBeCloseTo(0);
    }
  });

  it("keeps zero and less off a logarithmic scale", () => {
    const scale = valueScale("log", of(0, -3, 1e-6, 1e-2));
    expect(scale?.low).toBeCloseTo(1e-6, 12);
    expect(scale?.position(1e-4)).toBeCloseTo(0.5);
    expect(scale?.ticks.every((tick) => tick > 0)).toBe(true);
  });

  it("has no scale when there is nothing to place", () => {
    expect(valueScale("log", of(0, 0))).toBeNull();
    expect(valueScale("linear", of(Number.NaN))).toBeNull();
    expect(valueScale("symlog", of())).toBeNull();
  });

  it("gives a constant a place inside the scale", () => {
    for (const kind of ["linear", "log"] as const) expect(valueScale(kind, of(3, 3))?.position(3)).toBeCloseTo(0.5);
  });

  it("separates values of one sign that lie close together", () => {
    expect(valueScale("symlog", of(0.38, 0.55))?.kind).toBe("linear");
    expect(valueScale("symlog", of(0.0001, 10))?.kind).toBe("symlog");
  });

  it("keeps the natural range of fractions", () => {
    const scale = valueScale("linear", of(0.2, 0.3), naturalExtent("zero_fraction"));
    expect([scale?.low, scale?.high]).toEqual([0, 1]);
    expect(naturalExtent("mean")).toBeNull();
  });
});

describe("lineScale", () => {
  it("draws narrow logarithmic statistics on a linear axis, wide ones and zeros on a logarithmic one", () => {
    expect(lineScale("log", of(1, 2))).toBe("linear");
    expect(lineScale("log", of(1, 1000))).toBe("log");
    expect(lineScale("log", of(0, 1))).toBe("log");
  });

  it("leaves the linear axis only for spikes", () => {
    expect(lineScale("linear", of(1000, 2, 2, 2, 2))).toBe("log");
    expect(lineScale("linear", of(1000, 2, 2, 0, 2))).toBe("linear");
    expect(lineScale("linear", of(3, 2, 0.001))).toBe("linear");
    expect(lineScale("symlog", of(-1, 2, 5))).toBe("linear");
    expect(lineScale("symlog", of(1, 1, 1, 1e6))).toBe("symlog");
  });
});

it("finds the recorded step that holds at a step", () => {
  const steps = [5, 10, 40];
  expect([0, 5, 9, 10, 39, 1000].map((step) => indexOfStep(steps, step))).toEqual([0, 0, 0, 1, 1, 2]);
  expect(indexOfStep([], 3)).toBe(-1);
});
