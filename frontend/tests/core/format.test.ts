import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
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

const TEXTS: readonly [number | string, string, string][] = JSON.parse(
  readFileSync(new URL("../../../tests/records/number_texts.json", import.meta.url), "utf8"),
);

/** Values that JSON cannot hold, as Python spells them. */
const SPELLED: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, "-inf": -Infinity };

it.each(TEXTS)("writes %s in unit %j as reports do: %s", (value, unit, text) => {
  expect(formatMeasured(SPELLED[value] ?? Number(value), unit)).toBe(text);
});

it.each<[number | string | null | undefined, string, string]>([
  [2, "values", "2 values"],
  [0.94, "fraction", "94%"],
  [Number.NaN, "", "no value"],
  [Number.NEGATIVE_INFINITY, "", "not finite"],
  ["Infinity", "", "Infinity"],
  [null, "share", "not finite"],
  [undefined, "", "not finite"],
  [1234, "count", "1,234"],
])("writes %s at the cursor in unit %j as %s", (value, unit, text) => {
  expect(formatValue(value, unit)).toBe(text);
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
