import { expect, it } from "vitest";
import { valueScale } from "../../src/core/scale";
import { sparkPath } from "../../src/core/spark";

const of = (...values: number[]) => Float32Array.from(values);

it("draws few points, gaps as gaps and zeros at the bottom", () => {
  const values = of(1, 10, Number.NaN, 100, 0);
  const path = sparkPath(values, valueScale("log", values));
  expect(path.match(/M/g)).toHaveLength(2);
  expect(path.match(/[ML]/g)).toHaveLength(4);
  expect(path.endsWith("L56.0 15.0")).toBe(true);
  expect(sparkPath(new Float32Array(5000).fill(1), valueScale("linear", of(0, 1))).match(/[ML]/g)).toHaveLength(28);
  expect(sparkPath(of(Number.NaN), null)).toBe("");
  expect(sparkPath(of(), null)).toBe("");
});
