import { describe, expect, it } from "vitest";
import { panBy, panTo, stepAxis, wholeWindow, zoomBy } from "../../src/core/axis";
import { BY_STEP, timelineOf } from "../../src/core/timeline";

const STEPS = [0, 10, 20];

describe("stepAxis", () => {
  it("begins with the first recorded step and ends with the last: no step that never ran", () => {
    const axis = stepAxis(STEPS);
    expect([axis.from, axis.to, axis.position(20)]).toEqual([0, 20, 1]);
    expect([0, 0.24, 0.26, 0.74, 0.76, 1].map(axis.indexAt)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(axis.gaps).toEqual([]);
  });

  it("works with one step and with none", () => {
    expect(stepAxis([7]).indexAt(0.9)).toBe(0);
    expect(stepAxis([7]).position(7)).toBeCloseTo(0.5);
    expect(stepAxis([]).indexAt(0.5)).toBe(-1);
  });

  it("shows a window only", () => {
    const axis = stepAxis([0, 10, 20, 30, 40], BY_STEP, { from: 10, to: 30 });
    expect([5, 10, 30, 31].map(axis.shows)).toEqual([false, true, true, false]);
    expect(axis.position(20)).toBeCloseTo(0.5);
    expect([0, 0.6, 1].map(axis.indexAt)).toEqual([1, 2, 3]);
    expect(axis.cells.map(axis.meets)).toEqual([false, true, true, true, false]);
    expect(axis.ticks.every(({ position }) => position >= 0 && position <= 1)).toBe(true);
  });

  it("follows the clock, with a unit that fits", () => {
    const timeline = timelineOf("time", { steps: STEPS, wallTimes: [100, 400, 1000], epochs: null });
    const axis = stepAxis(STEPS, timeline ?? BY_STEP);
    expect(axis.title).toBe("Minutes");
    expect(axis.position(10)).toBeCloseTo(1 / 3);
    expect(axis.indexAt(axis.position(10) + 0.01)).toBe(1);
  });
});

describe("a window", () => {
  const whole = wholeWindow([0, 10, 90]);

  it("narrows about a step and widens to everything", () => {
    expect(whole).toEqual({ from: 0, to: 90 });
    expect(zoomBy(null, whole, 22.5, 0.5)).toEqual({ from: 0, to: 45 });
    expect(zoomBy({ from: 0, to: 80 }, whole, 60, 0.5)).toEqual({ from: 40, to: 80 });
    expect(zoomBy({ from: 0, to: 50 }, whole, null, 2)).toBeNull();
    const narrow = { from: 3, to: 4 };
    expect(zoomBy(narrow, whole, 3, 0.5)).toBe(narrow);
  });

  it("moves by a share and to a step, never out of what was recorded", () => {
    expect(panBy({ from: 10, to: 30 }, whole, 0.5)).toEqual({ from: 20, to: 40 });
    expect(panBy({ from: 10, to: 30 }, whole, -2)).toEqual({ from: 0, to: 20 });
    expect(panTo({ from: 10, to: 30 }, 40)).toEqual({ from: 20, to: 40 });
    expect(panTo({ from: 10, to: 30 }, 5)).toEqual({ from: 5, to: 25 });
    expect(panTo({ from: 10, to: 30 }, 15)).toEqual({ from: 10, to: 30 });
  });
});
