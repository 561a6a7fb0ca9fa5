import { describe, expect, it } from "vitest";
import {
  failedRules,
  HEALTH_CODES,
  layerState,
  stateSentence,
  stateWord,
  urgency,
  waitsFor,
  worseCode,
  worstOutcome,
} from "../../src/core/severity";
import type { Outcome, Rule } from "../../src/core/types";
import { layer, RULES } from "../samples";

const code = (outcome: Outcome) => HEALTH_CODES.indexOf(outcome);

describe("layerState", () => {
  it("is the worst finding when there is one", () => {
    expect(layerState(layer({ severity: "warning", outcomes: ["ok", "warning", "error"] }))).toBe("warning");
  });

  it("never calls a layer healthy when a rule failed on it", () => {
    const failed = layer({ outcomes: ["ok", "error", "ok"] });
    expect(layerState(failed)).toBe("error");
    expect(stateSentence(failed, RULES)).toBe("Not evaluated: vanishing gradient failed");
  });

  it.each<[readonly Outcome[], string]>([
    [["insufficient_data", "not_applicable", "insufficient_data"], "insufficient_data"],
    [["not_applicable", "not_applicable", "not_applicable"], "not_applicable"],
    [["ok", "insufficient_data", "not_applicable"], "ok"],
    [[], "insufficient_data"],
  ])("of outcomes %j is %s", (outcomes, state) => {
    expect(layerState(layer({ outcomes }))).toBe(state);
  });

  it("distinguishes layers without values from healthy ones", () => {
    const inside = layer({ not_observed: "called inside tf.while_loop", outcomes: [] });
    expect(layerState(inside)).toBe("unobserved");
    expect(stateSentence(inside, RULES)).toBe("called inside tf.while_loop");
  });
});

describe("stateSentence", () => {
  it("counts only the rules that were really checked", () => {
    expect(stateSentence(layer({ outcomes: ["ok", "insufficient_data", "not_applicable"] }), RULES)).toBe(
      "OK: 1 check passed, 1 waiting for data",
    );
  });

  it("does not count a muted finding, but names it", () => {
    const muted = layer({ outcomes: ["problem", "ok", "not_applicable"], muted: [0] });
    expect(stateSentence(muted, RULES)).toBe("OK: 1 check passed, 1 muted");
    expect(layerState(layer({ outcomes: ["problem", "not_applicable"], muted: [0] }))).toBe("not_applicable");
  });
});

it("names the rules that failed, and on how many layers", () => {
  const layers = [layer({ outcomes: ["ok", "error", "ok"] }), layer({ outcomes: ["error", "error", "problem"] })];
  expect(failedRules(layers, RULES)).toBe("dead units on 1 layer, vanishing gradient on 2 layers");
  expect(failedRules([layer()], RULES)).toBe("");
  const ofTraining: Rule = { id: "no_learning", title: "Does not learn", why: "", outcome: "error", thresholds: [] };
  expect(failedRules([layer()], [...RULES, ofTraining])).toBe("does not learn");
});

it("lists layers that cannot be judged last", () => {
  const states = ["unobserved", "not_applicable", "insufficient_data", "ok", "note", "problem"] as const;
  expect([...states].sort((a, b) => urgency(a) - urgency(b))).toEqual([...states].reverse());
});

describe("worst of several", () => {
  it("follows the order of the health matrix", () => {
    expect(worstOutcome(["not_applicable", "insufficient_data"])).toBe("insufficient_data");
    expect(worstOutcome(["insufficient_data", "ok"])).toBe("ok");
    expect(worstOutcome(["ok", "error"])).toBe("error");
    expect(worstOutcome(["error", "note"])).toBe("note");
    expect(worstOutcome([])).toBeNull();
  });

  it("keeps the code that must not be overlooked, whichever comes first", () => {
    expect(worseCode(code("ok"), code("problem"))).toBe(code("problem"));
    expect(worseCode(code("problem"), code("error"))).toBe(code("problem"));
    expect(worseCode(Number.NaN, code("not_applicable"))).toBe(code("not_applicable"));
    expect(worseCode(code("not_applicable"), Number.NaN)).toBe(code("not_applicable"));
  });
});

it("has a word of its own for every state, and ranks sick before unknown before healthy", () => {
  const words = HEALTH_CODES.map(stateWord);
  expect(new Set(words).size).toBe(HEALTH_CODES.length);
  expect(urgency("problem")).toBeLessThan(urgency("error"));
  expect(urgency("error")).toBeLessThan(urgency("ok"));
});

describe("waitsFor", () => {
  it("says how many observed steps a rule needs, where that is known", () => {
    const known = { dead_units: { min_checks: 5 }, collapsed_layer: { share: 0.5 } };
    expect(waitsFor("dead_units", { thresholds: known, records: 4 })).toBe(": needs 5 observed steps");
    expect(waitsFor("dead_units", { thresholds: known, records: 5 })).toBe(": the last steps are not conclusive");
    expect(waitsFor("collapsed_layer", { thresholds: known, records: 4 })).toBe("");
    expect(waitsFor("melted", { thresholds: {}, records: 4 })).toBe("");
  });
});
