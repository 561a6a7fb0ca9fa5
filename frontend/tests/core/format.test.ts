import { describe, expect, it } from "vitest";
import {
  briefEvidence,
  formatAge,
  formatDuration,
  formatMeasured,
  formatShape,
  formatValue,
  layerFacts,
  plural,
  sentence,
  thresholdWords,
  withUnit,
} from "../../src/core/format";
import { finding, layer } from "../samples";

describe("formatValue", () => {
  it.each<[number | string | null | undefined, string, string]>([
    [0, "", "0"],
    [0.12345, "", "0.1235"],
    [-0.5, "", "\u22120.5"],
    [3.04e-9, "", "3.04e\u22129"],
    [1234567, "", "1.23e6"],
    [2, "values", "2 values"],
    [1, "share", "100%"],
    [0.7812, "share", "78.1%"],
    [0.9998, "share", ">99.9%"],
    [0.9994, "share", "99.9%"],
    [2e-6, "share", "2e\u22124%"],
    [Number.NaN, "", "no value"],
    [Number.NEGATIVE_INFINITY, "", "\u2212\u221e"],
    ["Infinity", "", "Infinity"],
    [null, "share", "not finite"],
    [undefined, "", "not finite"],
    [1234, "count", "1,234"],
    [0, "count", "0"],
  ])("of %s in %j is %s", (value, unit, text) => {
    expect(formatValue(value, unit)).toBe(text);
  });
});

it("gives values of findings as many digits as reports do", () => {
  expect([0.0012345, 12345, 1.13e-4, 0, 3e7].map((value) => formatMeasured(value, ""))).toEqual([
    "0.00123",
    "12300",
    "1.13e\u22124",
    "0",
    "3e7",
  ]);
  expect(formatMeasured(0.9375, "share")).toBe("93.8%");
  expect(formatMeasured(12500, "count")).toBe("12,500");
  expect(formatMeasured(null, "count")).toBe("not finite");
});

it("ends a sentence once", () => {
  expect(["no such run", "Done.", "Really?", "cut\u2026"].map(sentence)).toEqual([
    "no such run.",
    "Done.",
    "Really?",
    "cut\u2026",
  ]);
});

it("writes shapes, counts and durations for people", () => {
  expect(formatShape([null, 8, 8, 16])).toBe("[batch, 8, 8, 16]");
  expect(plural(1, "layer")).toBe("1 layer");
  expect(plural(1200, "layer")).toBe("1,200 layers");
  expect(formatDuration(42.4)).toBe("42 s");
  expect(formatDuration(600)).toBe("10 min");
  expect(formatDuration(9000)).toBe("2.5 h");
  expect(formatDuration(Number.NaN)).toBe("");
});

it.each([
  [-3, "just now"],
  [8.4, "8 s ago"],
  [600, "10 min ago"],
  [90_000, "25 h ago"],
  [400_000, "5 days ago"],
  [Number.NaN, ""],
])("says that something was %s seconds ago: %s", (seconds, words) => {
  expect(formatAge(seconds)).toBe(words);
});

it("states evidence and threshold in the unit of the finding, whatever its title", () => {
  expect(briefEvidence(finding({ quantity: "anything", unit: "share", value: 0.25 }))).toBe("anything 25%");
  expect(briefEvidence(finding({ quantity: "share of units dead", unit: "", value: 0.25 }))).toBe(
    "share of units dead 0.25",
  );
  expect(thresholdWords(finding({ unit: "share", threshold: 0.5 }))).toBe("threshold 50%");
  expect(thresholdWords(finding({ unit: "count", threshold: 0 }))).toBe("none allowed");
  expect(thresholdWords(finding({ unit: "count", threshold: 5000 }))).toBe("threshold 5,000");
  expect(thresholdWords(finding({ unit: "", threshold: 0 }))).toBe("threshold 0");
  expect(thresholdWords(finding({ unit: "share", threshold: 0.5, closing_threshold: 0.4 }))).toBe(
    "threshold 50%, closes at 40%",
  );
});

it("states evidence in a few words", () => {
  expect(briefEvidence(finding())).toBe("share of units dead 78.1%");
  expect(briefEvidence(finding({ quantity: "elasticity (norm x norm / loss)", value: 0.5, unit: "" }))).toBe(
    "elasticity 0.5",
  );
});

it("gives shares a unit", () => {
  const statistic = { id: "zero_fraction", title: "", about: "", unit: "", scale: "linear" } as const;
  expect(withUnit(statistic).unit).toBe("share");
  expect(withUnit({ ...statistic, id: "mean" }).unit).toBe("");
});

it("tells a frozen layer and a single call", () => {
  expect(layerFacts(layer({ trainable: false, call_site: 2 }))).toMatch(/272 weights \(frozen\) \u00b7 call 2$/);
});
