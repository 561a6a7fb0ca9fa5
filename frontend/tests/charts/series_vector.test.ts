import { expect, it } from "vitest";
import { pathOf } from "../../src/charts/series_vector";

it("interrupts a path at values off the axis and not where nothing was measured", () => {
  expect(pathOf([0, 1, 2, 3, 4], [5, undefined, 6, null, 7])).toBe("M0.0 5.0h.01L2.0 6.0M4.0 7.0h.01");
});
