import { describe, expect, it } from "vitest";
import { formatValue } from "../../src/core/format";
import {
  allowed,
  fromField,
  lastPosition,
  positionOf,
  thresholdText,
  toField,
  unitWord,
  valueAt,
} from "../../src/core/slider";
import { threshold } from "../samples";

const SHARE = threshold();
const STEPS = threshold({ unit: "steps", default: 10, value: 12, low: 1, high: 32, start: 1, end: 32, step: 1 });
const TINY = threshold({ unit: "", scale: "log", default: 1e-6, value: 1e-6, start: 1e-9, end: 1e-3, step: 0 });
const SAMPLES = threshold({
  unit: "samples",
  scale: "log",
  default: 300,
  value: 300,
  low: 1,
  high: 1e9,
  start: 10,
  end: 300_000,
  step: 0,
  is_whole: true,
});

describe("the positions of a slider", () => {
  it("cover it from start to end", () => {
    for (const each of [SHARE, STEPS, TINY, SAMPLES]) {
      expect(valueAt(each, 0)).toBe(each.start);
      expect(valueAt(each, lastPosition(each))).toBe(each.end);
    }
    expect([lastPosition(SHARE), lastPosition(STEPS), lastPosition(TINY)]).toEqual([100, 31, 120]);
  });

  it("lead back to the same value", () => {
    for (const each of [SHARE, STEPS, TINY, SAMPLES]) {
      for (let position = 0; position <= lastPosition(each); position += 1) {
        expect(positionOf(each, valueAt(each, position))).toBe(position);
      }
    }
  });

  it("hold the default and the value of the run exactly", () => {
    expect(valueAt(TINY, positionOf(TINY, 1e-6))).toBe(1e-6);
    expect(valueAt(threshold({ value: 0.123 }), 12)).toBe(0.123);
    expect(valueAt(SHARE, 30)).toBe(0.3);
  });

  it("are whole where only whole numbers make sense, and round otherwise", () => {
    expect(valueAt(SAMPLES, 1)).toBe(11);
    expect(valueAt(TINY, 1)).toBe(1.1e-9);
  });

  it("stay at the ends for values beyond them", () => {
    expect(positionOf(SAMPLES, 1e9)).toBe(lastPosition(SAMPLES));
    expect(positionOf(TINY, 0)).toBe(0);
  });
});

describe("the field of a threshold", () => {
  it("shows shares in percent without rounding noise", () => {
    expect(toField(SHARE, 0.55)).toBe("55");
    expect(toField(SHARE, 0.07)).toBe("7");
    expect(fromField(SHARE, "55")).toBe(0.55);
    expect(unitWord(SHARE)).toBe("%");
  });

  it("refuses what the rule does not allow", () => {
    expect(fromField(SHARE, "101")).toBeNull();
    expect(fromField(SHARE, "")).toBeNull();
    expect(fromField(SHARE, "1e")).toBeNull();
    expect(fromField(SAMPLES, "1.5")).toBeNull();
    expect(allowed(SAMPLES, 1.4)).toBe(1);
  });
});

it("names a value with its unit", () => {
  expect(thresholdText(SHARE, 0.5)).toBe("50%");
  expect(thresholdText(STEPS, 12)).toBe("12 steps");
  expect(thresholdText(threshold({ unit: "times" }), 5)).toBe("5\u00d7");
  expect(thresholdText(TINY, 1e-6)).toBe(formatValue(1e-6));
});
