import { expect, it } from "vitest";
import { certainty, DEAD, lifeOrder, lifeSentence, livesSentence, markDeaths, unitRows } from "../../src/core/lives";
import type { LifeState, UnitLife } from "../../src/core/types";

const life = (unit: number, state: LifeState, since_step: number | null = 0): UnitLife => ({
  unit,
  state,
  since_step,
  revivals: 0,
  samples: 0,
  activity_below: null,
});
const LIVES = [
  life(0, "alive"),
  life(1, "died", 90),
  life(2, "born_dead"),
  life(3, "died", 20),
  life(4, "revived", 50),
];

it("counts units by state, worst first, without states that do not occur", () => {
  expect(livesSentence(LIVES)).toBe("5 units: 1 never active, 2 dead, 1 revived, 1 active.");
  expect(livesSentence([life(0, "unknown", null)])).toBe("1 unit: 1 unknown.");
  expect(livesSentence([])).toBe("0 units.");
});

it("orders units by state, then by when it began", () => {
  expect(lifeOrder(LIVES)).toEqual([2, 3, 1, 4, 0]);
});

it("turns steps of units into rows of units", () => {
  const activity = Float32Array.from([1, 2, 3, 4, 5, 6]);
  expect([...unitRows(activity, 2, [2, 0, 1])]).toEqual([3, 6, 1, 4, 2, 5]);
});

it("dates a death and a revival, but no state that a unit always had", () => {
  expect(LIVES.map(lifeSentence)).toEqual([
    "active",
    "dead since step 90",
    "never active",
    "dead since step 20",
    "revived at step 50",
  ]);
  expect(lifeSentence(life(0, "died", null))).toBe("dead");
});

it("says how certain a silence is", () => {
  const silent = { ...life(1, "died", 90), samples: 4096, activity_below: 3 / 4096 };
  expect(certainty(silent)).toBe(": silent on 4,096 samples, so active on less than 0.0732% (95% confidence)");
  expect(certainty(life(0, "alive"))).toBe("");
});

it("tells a dead unit from one that was silent at a step", () => {
  const lives = [life(0, "died", 20), life(1, "alive"), life(2, "born_dead", 0)];
  const rows = Float32Array.from([0, 0.5, 0, 0, 0.5, 0.5, 0, 0, Number.NaN]);
  expect([...markDeaths(rows, [0, 10, 20], lives, [0, 1, 2])]).toEqual([
    0,
    0.5,
    DEAD,
    0,
    0.5,
    0.5,
    DEAD,
    DEAD,
    Number.NaN,
  ]);
});
