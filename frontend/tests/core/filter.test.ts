import { describe, expect, it } from "vitest";
import { filterLayers, flagsOf } from "../../src/core/filter";
import { rankLayers } from "../../src/core/ranking";
import { finding, layer, RULES } from "../samples";

const FINDINGS = [
  finding({ layer: "a" }),
  finding({ layer: "b", rule: "nonfinite" }),
  finding({ layer: "c", closed_step: 9 }),
];
const RANKED = rankLayers([layer({ name: "a" }), layer({ name: "b" }), layer({ name: "c" })], FINDINGS, RULES, "model");

describe("flags", () => {
  it("name the rules with open findings and how many layers they flag", () => {
    expect(flagsOf(RANKED, FINDINGS, RULES).map(({ rule, count }) => [rule, count])).toEqual([
      ["dead_units", 1],
      ["nonfinite", 1],
    ]);
  });

  it("filter together with the text", () => {
    const names = (text: string, rule?: string) =>
      filterLayers(RANKED, FINDINGS, text, rule).map(({ layer: { name } }) => name);
    expect(names("", "dead_units")).toEqual(["a"]);
    expect(names("b", "dead_units")).toEqual([]);
    expect(names("B")).toEqual(["b"]);
    expect(names("")).toEqual(["a", "b", "c"]);
  });
});
