import { describe, expect, it } from "vitest";
import { linearMapping, logMapping, symlogMapping } from "../../src/core/mapping";

describe("positions of values", () => {
  it("keeps values within the ends", () => {
    const map = linearMapping(2, 6);
    expect([1, 2, 3, 6, 9].map(map.position)).toEqual([0, 0, 0.25, 1, 1]);
    expect([-1, 0, 0.25, 1, 2].map(map.valueAt)).toEqual([2, 2, 3, 6, 6]);
  });

  it("puts everything in the middle of an empty range", () => {
    expect(linearMapping(3, 3).position(3)).toBe(0.5);
    expect(linearMapping(3, 3).valueAt(0.2)).toBe(3);
  });

  it("gives each decade the same room on a logarithmic scale", () => {
    const map = logMapping(0.001, 1000);
    expect(map.position(1)).toBeCloseTo(0.5, 12);
    expect(map.position(0.01)).toBeCloseTo(1 / 6, 12);
    expect(map.valueAt(1 / 3)).toBeCloseTo(0.1, 12);
  });

  it("has 0 in the middle of a symmetric scale, and undoes itself", () => {
    const map = symlogMapping(-100, 100, 0.01);
    expect(map.position(0)).toBe(0.5);
    expect(map.position(1) - 0.5).toBeCloseTo(0.5 - map.position(-1), 12);
    for (const value of [-100, -3, -0.001, 0, 0.02, 50]) expect(map.valueAt(map.position(value))).toBeCloseTo(value, 9);
  });
});
