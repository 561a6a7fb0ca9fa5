import { describe, expect, it } from "vitest";
import { contrast, PALETTES, parseColor } from "../../src/core/color";
import { MOST_RUNS, pickOthers, pickRun, runColor, runDash, selectedRuns } from "../../src/core/runs";
import { run as sample } from "../samples";

const run = (name: string, readable = true) => sample({ name, readable, kind: readable ? null : "damaged_run" });
const RUNS = [run("a"), run("b"), run("broken", false), run("c"), run("newer", false)];

describe("TensorBoard's selection", () => {
  it("is none when the address restricts nothing", () => {
    expect(selectedRuns(RUNS, { ticked: {}, pattern: "" })).toBeNull();
    expect(selectedRuns(RUNS, { ticked: { a: true }, pattern: "" })).toBeNull();
    expect(selectedRuns(RUNS, { ticked: {}, pattern: "(" })).toBeNull();
  });

  it("takes ticks and pattern together", () => {
    expect(selectedRuns(RUNS, { ticked: { a: false }, pattern: "" })).toEqual(["b", "broken", "c", "newer"]);
    expect(selectedRuns(RUNS, { ticked: { a: false }, pattern: "^(a|b)$" })).toEqual(["b"]);
  });

  it("decides what is shown first unless the address asks for a run", () => {
    expect(pickRun(RUNS, undefined, null)?.name).toBe("c");
    expect(pickRun(RUNS, undefined, ["a", "b"])?.name).toBe("b");
    expect(pickRun(RUNS, undefined, ["newer"])?.name).toBe("c");
    expect(pickRun(RUNS, "broken", ["a"])?.name).toBe("broken");
    expect(pickRun([], "a", null)).toBeNull();
    expect(pickOthers(RUNS, RUNS[1] ?? null, ["a", "b", "broken"]).map(({ name }) => name)).toEqual(["a"]);
    expect(pickOthers(RUNS, RUNS[1] ?? null, [])).toEqual([]);
  });
});

it("tells as many runs apart as there are dashes, in TensorBoard's colors", () => {
  const many = Array.from({ length: 20 }, (_, index) => run(`r${index}`));
  const names = many.map(({ name }) => name);
  expect(pickOthers(many, many[0] ?? null, names)).toHaveLength(MOST_RUNS - 1);
  expect(new Set(Array.from({ length: MOST_RUNS }, (_, place) => runDash(place).join())).size).toBe(MOST_RUNS);
  expect(runColor(2, "light")).toBe("#e52592");
  expect(runColor(9, "light")).toBe(runColor(2, "light"));
  for (const theme of ["light", "dark"] as const) {
    const ground = parseColor(PALETTES[theme].surface);
    for (let place = 0; place < 7; place++) {
      expect(contrast(parseColor(runColor(place, theme)), ground)).toBeGreaterThanOrEqual(3);
    }
  }
  expect(runColor(0, "dark")).not.toBe(runColor(0, "light"));
});
