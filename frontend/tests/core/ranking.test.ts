import { describe, expect, it } from "vitest";
import { findingsWithoutLayer, matchLayers, neighborFinding, rankLayers } from "../../src/core/ranking";
import { finding, layer, RULES } from "../samples";

const LAYERS = [
  layer({ name: "first", outcomes: ["not_applicable", "not_applicable", "not_applicable"] }),
  layer({ name: "healthy" }),
  layer({ name: "starved", severity: "problem" }),
  layer({ name: "failed", outcomes: ["error", "ok", "ok"] }),
  layer({ name: "dead", severity: "problem" }),
  layer({ name: "slow", severity: "warning" }),
];
const FINDINGS = [
  finding({ layer: "dead" }),
  finding({
    layer: "starved",
    rule: "vanishing_gradient",
    quantity: "elasticity",
    unit: "",
    value: 3e-9,
    since_step: 5,
  }),
  finding({ layer: "starved", rule: "nonfinite" }),
  finding({ layer: "slow", severity: "warning" }),
  finding({ layer: "healthy", closed_step: 90 }),
  finding({ layer: "" }),
];

const names = (order: "severity" | "model") =>
  rankLayers(LAYERS, FINDINGS, RULES, order).map((each) => each.layer.name);

describe("rankLayers", () => {
  it("puts the most urgent first, equals in the order of the findings", () => {
    expect(names("severity")).toEqual(["dead", "starved", "slow", "failed", "healthy", "first"]);
  });

  it("keeps the order of the model when asked", () => {
    expect(names("model")).toEqual(LAYERS.map(({ name }) => name));
  });

  it("tells the worst open finding in words and counts the rest", () => {
    const [dead, starved] = rankLayers(LAYERS, FINDINGS, RULES, "severity");
    expect(dead?.words).toBe("Dead units since step 1,400: share of units dead 78.1%");
    expect(starved?.words).toBe("Vanishing gradient since step 5: elasticity 3e-9");
    expect(starved?.more).toBe(1);
  });

  it("tells a grave consequence before a mild root", () => {
    const findings = [
      finding({ layer: "starved", severity: "note" }),
      finding({ layer: "starved", rule: "vanishing_gradient", root: "dead_units:dead:60" }),
    ];
    const starved = rankLayers(LAYERS, findings, RULES, "model")[2];
    expect(starved?.words).toContain("Vanishing gradient");
  });

  it("leaves closed findings out of the words", () => {
    const healthy = rankLayers(LAYERS, FINDINGS, RULES, "model")[1];
    expect(healthy?.words).toBe("OK: 3 checks passed");
  });

  it("does not change what it was given", () => {
    const before = LAYERS.map(({ name }) => name);
    names("severity");
    expect(LAYERS.map(({ name }) => name)).toEqual(before);
  });
});

it("finds layers by name or class, letter case aside", () => {
  const ranked = rankLayers(LAYERS, [], RULES, "model");
  expect(matchLayers(ranked, " SLOW ").map((each) => each.layer.name)).toEqual(["slow"]);
  expect(matchLayers(ranked, "dense")).toHaveLength(LAYERS.length);
  expect(matchLayers(ranked, ".*")).toHaveLength(0);
});

it("finds the findings that belong to no layer", () => {
  expect(findingsWithoutLayer(FINDINGS, LAYERS)).toEqual([finding({ layer: "" })]);
});

describe("neighborFinding", () => {
  const open = ["a", "b", "b2"].map((id) => finding({ id, layer: id.slice(0, 1) }));
  const all = [...open, finding({ id: "closed", layer: "c", closed_step: 3 })];

  it.each<[string | null, string, 1 | -1, string]>([
    [null, "b", 1, "b"],
    [null, "healthy", 1, "a"],
    [null, "healthy", -1, "b2"],
    ["a", "a", 1, "b"],
    ["b", "b", 1, "b2"],
    ["b2", "b", 1, "a"],
    ["a", "a", -1, "b2"],
    ["a", "b", 1, "b"],
    ["b2", "a", -1, "a"],
    ["gone", "b", 1, "b"],
  ])("after %s with layer %s in direction %s is %s", (last, layerName, direction, id) => {
    expect(neighborFinding(all, last, layerName, direction)?.id).toBe(id);
  });

  it("is null without an open finding", () => {
    expect(neighborFinding(all.slice(3), null, "a", 1)).toBeNull();
  });
});
