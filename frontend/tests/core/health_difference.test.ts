import { expect, it } from "vitest";
import { firstHealthDifference } from "../../src/core/health_difference";
import { finding } from "../samples";

const sick = (layer: string, since_step: number, root: string | null = null) =>
  finding({ id: `${layer} ${since_step}`, layer, since_step, root });

it("is the earliest finding in a layer that is sound in the other run", () => {
  const main = [sick("a", 5), sick("c", 30)];
  const other = [sick("a", 90), sick("b", 40)];
  expect(firstHealthDifference(main, other)).toEqual({ layer: "c", step: 30, isOther: false });
  expect(firstHealthDifference(other, [sick("a", 1), sick("c", 50)])).toEqual({ layer: "b", step: 40, isOther: false });
  expect(firstHealthDifference([], other)).toEqual({ layer: "b", step: 40, isOther: true });
});

it("prefers a root at the same step, and ignores notes and what was resolved", () => {
  expect(firstHealthDifference([sick("a", 5, "root"), sick("b", 5)], [])?.layer).toBe("b");
  const harmless = [finding({ severity: "note" }), finding({ closed_step: 3 })];
  expect(firstHealthDifference(harmless, [])).toBeNull();
});
