import { describe, expect, it } from "vitest";
import {
  clickedOrder,
  filterRuns,
  readOrder,
  runState,
  sortRuns,
  stretches,
  sweepSentence,
  USUAL_ORDER,
  writeOrder,
} from "../../src/core/landing";
import { run } from "../samples";

const RUNS = [
  run({ name: "lr=10", severity: "problem", layers_affected: 1, since_step: 9, metrics: { loss: 2, acc: 0.1 } }),
  run({ name: "lr=2", severity: "problem", layers_affected: 3, since_step: 40, metrics: { loss: null, acc: 0.5 } }),
  run({ name: "lr=1", start_time: 5, metrics: { loss: 1 } }),
  run({ name: "lr=0.5", start_time: 9, metrics: { loss: 1 } }),
  run({ name: "gone", readable: false, health: "" }),
  run({ name: "short", health: "5555" }),
];
const names = (column: string) => sortRuns(RUNS, readOrder(column)).map(({ name }) => name);

describe("the order of runs", () => {
  it("is worst first at first: more layers affected, then newer", () => {
    expect(sortRuns(RUNS, USUAL_ORDER).map(({ name }) => name)).toEqual([
      "lr=2",
      "lr=10",
      "gone",
      "lr=0.5",
      "lr=1",
      "short",
    ]);
  });

  it("puts runs without a value last in both directions", () => {
    expect(names("=loss").slice(0, 3)).toEqual(["lr=0.5", "lr=1", "lr=10"]);
    expect(names("-=loss").slice(0, 3)).toEqual(["lr=10", "lr=0.5", "lr=1"]);
    expect(names("-=loss").slice(3)).toContain("lr=2");
    expect(names("since").slice(0, 2)).toEqual(["lr=10", "lr=2"]);
  });

  it("compares numbers in names as numbers", () => {
    expect(names("run").slice(1, 5)).toEqual(["lr=0.5", "lr=1", "lr=2", "lr=10"]);
  });

  it("is kept in the address, which ignores what it does not know", () => {
    expect(writeOrder(USUAL_ORDER)).toBeUndefined();
    for (const text of ["run", "-since", "=val_loss", "-=a=b"]) expect(writeOrder(readOrder(text))).toBe(text);
    for (const text of [undefined, "", "-", "other", "="]) expect(readOrder(text)).toEqual(USUAL_ORDER);
  });

  it("begins with the better end of a column", () => {
    expect(clickedOrder(USUAL_ORDER, "=val_loss").isDescending).toBe(false);
    expect(clickedOrder(USUAL_ORDER, "=accuracy").isDescending).toBe(true);
    expect(clickedOrder(USUAL_ORDER, "verdict").isDescending).toBe(false);
    expect(clickedOrder({ column: "run", isDescending: false }, "run").isDescending).toBe(true);
  });
});

it("filters by a regular expression, and shows all for an invalid one", () => {
  expect(filterRuns(RUNS, "LR=1").runs.map(({ name }) => name)).toEqual(["lr=10", "lr=1"]);
  expect(filterRuns(RUNS, "(")).toEqual({ runs: RUNS, problem: "This is not a regular expression." });
});

it("never calls a run healthy that was not judged", () => {
  expect(RUNS.map(runState)).toEqual(["problem", "problem", "ok", "ok", "error", "insufficient_data"]);
  expect(sweepSentence(RUNS)).toBe("2 of 6 runs need attention, 1 without enough data, 1 unreadable.");
  expect(sweepSentence([run(), run()])).toBe("No problems found in 2 runs.");
});

it("divides the health over time into stretches", () => {
  expect(stretches("0033-")).toEqual([
    { from: 0, length: 2, code: "0" },
    { from: 2, length: 2, code: "3" },
    { from: 4, length: 1, code: "-" },
  ]);
  expect(stretches("")).toEqual([]);
});
