import { describe, expect, it } from "vitest";
import { BY_STEP, timelineOf, X_KINDS } from "../../src/core/timeline";

const of = (...values: number[]) => Float32Array.from(values);

describe("timelineOf", () => {
  const record = { steps: [0, 10, 20, 30, 40], wallTimes: [5, 6, 4, 15, 25], epochs: of(0, 0, 1, 1, 2) };

  it("maps steps to positions and back", () => {
    for (const kind of X_KINDS) {
      const timeline = timelineOf(kind, record) ?? BY_STEP;
      expect(timeline.kind).toBe(kind);
      for (const step of [0, 25, 40, 60]) expect(timeline.stepAt(timeline.at(step))).toBeCloseTo(step, 5);
    }
  });

  it("counts seconds from the first record and never backwards", () => {
    const time = timelineOf("time", record);
    expect([0, 10, 20, 30, 40].map((step) => time?.at(step))).toEqual([0, 1, 1, 10, 20]);
  });

  it("puts each epoch where it begins, evenly within", () => {
    const epoch = timelineOf("epoch", record);
    expect([0, 10, 20, 30, 40].map((step) => epoch?.at(step))).toEqual([0, 0.5, 1, 1.5, 2]);
  });

  it("knows no epochs of a run that recorded none, and no time of a single record", () => {
    expect(timelineOf("epoch", { ...record, epochs: null })).toBeNull();
    expect(timelineOf("epoch", { ...record, epochs: of(...Array(5).fill(Number.NaN)) })).toBeNull();
    expect(timelineOf("time", { steps: [3], wallTimes: [9], epochs: null })).toBeNull();
  });

  it("spreads a single epoch over its steps", () => {
    const epoch = timelineOf("epoch", { steps: [0, 10], wallTimes: [0, 1], epochs: of(0, 0) });
    expect(epoch?.at(5)).toBeCloseTo(0.5);
  });
});
