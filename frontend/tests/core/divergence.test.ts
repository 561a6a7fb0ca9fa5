import { describe, expect, it } from "vitest";
import { firstDivergence } from "../../src/core/divergence";
import type { Frame, MatrixHeader } from "../../src/core/frame";

function frame(steps: readonly number[], rows: Readonly<Record<string, readonly number[]>>): Frame<MatrixHeader> {
  const layers = Object.keys(rows);
  const header = { shape: [layers.length, steps.length], steps, recorded_steps: steps.length, layers };
  return {
    header: { ...header, run: "", stat: "std", wall_times: [], low: null, high: null, left_out: {} },
    data: Float32Array.from(Object.values(rows).flat()),
  };
}

const STEPS = [0, 1, 2, 3, 4, 5, 6, 7];
const ONES = STEPS.map(() => 1);

describe("firstDivergence", () => {
  it("names the layer that diverges first and for good", () => {
    const run = frame(STEPS, { a: ONES, b: ONES });
    const other = frame(STEPS, { b: [1, 1, 9, 9, 9, 9, 9, 9], a: [1, 1, 1, 9, 9, 9, 9, 9] });
    expect(firstDivergence(run, other)).toEqual({ layer: "b", step: 2, value: 1, other: 9 });
  });

  it("takes no single noisy step for a departure", () => {
    const other = frame(STEPS, { a: [1, 9, 1, 1, 9, 9, 1, 9] });
    expect(firstDivergence(frame(STEPS, { a: ONES }), other)).toBeNull();
  });

  it("names the first layer in call order when several go at once", () => {
    const other = frame(STEPS, { b: STEPS.map(() => 4), a: STEPS.map(() => 4) });
    expect(firstDivergence(frame(STEPS, { a: ONES, b: ONES }), other)?.layer).toBe("a");
  });

  it("counts what is finite in one run only, and nothing that was not measured", () => {
    const infinite = frame(STEPS, { a: [1, 1, 1, ...Array(5).fill(Number.POSITIVE_INFINITY)] });
    expect(firstDivergence(frame(STEPS, { a: ONES }), infinite)?.step).toBe(3);
    expect(firstDivergence(frame(STEPS, { a: ONES }), frame(STEPS, { a: STEPS.map(() => Number.NaN) }))).toBeNull();
    expect(firstDivergence(frame(STEPS, { a: ONES }), frame(STEPS, { other: ONES }))).toBeNull();
  });

  it("holds runs of other cadence against each other where both have steps", () => {
    const run = frame([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], { a: [1, 1, 1, 1, 5, 5, 5, 5, 5, 5] });
    expect(firstDivergence(run, frame([0, 2, 4, 6, 8], { a: [1, 1, 1, 1, 1] }))).toMatchObject({ step: 4, value: 5 });
    expect(firstDivergence(run, frame([0, 1, 2], { a: [1, 1, 1] }))).toBeNull();
  });
});
