import { describe, expect, it } from "vitest";
import { nextRecord, nextRecordWords, type Progress, pulseOf } from "../../src/core/next_record";

const running = (changes: Partial<Progress>): Progress => ({
  steps: [0, 100, 200, 300],
  wallTimes: [0, 50, 100, 150],
  frequency: "auto",
  budget: 0.02,
  overhead: 0.02,
  observationSeconds: 0.1,
  ...changes,
});

describe("the next record", () => {
  it("comes after a fixed number of steps, each step or each epoch", () => {
    expect(nextRecord(running({ frequency: 10 }))).toEqual({ step: 310, seconds: 5 });
    expect(nextRecord(running({ frequency: "batch" }))?.step).toBe(301);
    expect(nextRecord(running({ frequency: "epoch" }))?.step).toBe(400);
  });

  it("comes when it is paid for, at the latest after the longest gap", () => {
    expect(nextRecord(running({}))?.step).toBe(310);
    expect(nextRecord(running({ overhead: 0.5 }))).toEqual({ step: 340, seconds: 20 });
  });

  it("follows the schedule of the first minute", () => {
    expect(nextRecord(running({ wallTimes: [0, 10, 20, 30] }))?.step).toBe(336);
  });

  it("is unknown before the speed is", () => {
    expect(nextRecord(running({ steps: [5], wallTimes: [1] }))).toBeNull();
    expect(nextRecord(running({ steps: [], wallTimes: [] }))).toBeNull();
  });
});

it("says what to expect, and when nothing more is to be expected", () => {
  const next = { step: 12_340, seconds: 20 };
  expect(nextRecordWords(next, 5)).toBe("Next record around step 12,340, in about 15 s");
  expect(nextRecordWords(next, 25)).toBe("Next record around step 12,340, due now");
  expect([5, 59, 61].map((age) => pulseOf(next, age))).toEqual(["recording", "recording", "overdue"]);
});
