import { describe, expect, it } from "vitest";
import { draftValue, isChanged, NO_DRAFT, rulesFile, withRule, withValue } from "../../src/core/draft";
import type { Rule } from "../../src/core/types";
import { threshold } from "../samples";

const WARNING = threshold();
const STEPS = threshold({ id: "min_checks", default: 5, value: 8 });
const RULES: readonly Rule[] = [
  { id: "dead_units", title: "Dead units", why: "…", outcome: null, thresholds: [WARNING, STEPS] },
  { id: "nonfinite", title: "NaN or infinity", why: "…", outcome: null, thresholds: [] },
];

describe("a draft", () => {
  it("begins with the thresholds of the run", () => {
    expect(draftValue(NO_DRAFT, "dead_units", STEPS)).toBe(8);
    expect(isChanged(NO_DRAFT)).toBe(false);
  });

  it("forgets what is set back to the value of the run", () => {
    const changed = withValue(NO_DRAFT, "dead_units", WARNING, 0.9);
    expect(draftValue(changed, "dead_units", WARNING)).toBe(0.9);
    expect(isChanged(changed)).toBe(true);
    expect(withValue(changed, "dead_units", WARNING, 0.5)).toEqual(NO_DRAFT);
    const off = withRule(changed, "nonfinite", false);
    expect(withRule(withValue(off, "dead_units", WARNING, 0.5), "nonfinite", true)).toEqual(NO_DRAFT);
  });
});

describe("a rules file", () => {
  it("names every checked rule and what differs from its defaults, also where the run did", () => {
    expect(rulesFile(RULES, NO_DRAFT)).toEqual({ dead_units: { min_checks: 8 }, nonfinite: {} });
    const changed = withValue(NO_DRAFT, "dead_units", WARNING, 0.9);
    expect(rulesFile(RULES, changed)).toEqual({ dead_units: { warning_share: 0.9, min_checks: 8 }, nonfinite: {} });
    expect(rulesFile(RULES, withValue(changed, "dead_units", STEPS, 5)).dead_units).toEqual({ warning_share: 0.9 });
    expect(rulesFile(RULES, withRule(NO_DRAFT, "dead_units", false))).toEqual({ nonfinite: {} });
  });
});
