import { describe, expect, it } from "vitest";
import { stepAxis } from "../../src/core/axis";
import { pixelColumns, reduceHealth, reduceLargest, reduceSmallest, rowPixels, stretches } from "../../src/core/raster";

import { HEALTH_CODES } from "../../src/core/severity";

const PROBLEM = HEALTH_CODES.indexOf("problem");

describe("pixelColumns", () => {
  it("shows every step at least once, however many there are to a pixel", () => {
    const steps = [0, 1, 2, 3, 4, 5, 50, 100, 1000];
    const columns = pixelColumns(stepAxis(steps), 7);
    const shown = new Set<number>();
    columns.start.forEach((start, column) => {
      for (let index = start; index < (columns.end[column] ?? 0); index++) shown.add(index);
    });
    expect(shown.size).toBe(steps.length);
  });

  it("shows no record where none is near, and each record as long as those around it", () => {
    const steps = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 500, 510, 520, 530, 540];
    const columns = pixelColumns(stepAxis(steps), 540);
    expect([94, 96, 300, 494, 496].map((column) => columns.start[column])).toEqual([9, -1, -1, -1, 10]);
    const alone = pixelColumns(stepAxis([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10000]), 100);
    expect([95, 96, 97, 98, 99].map((column) => alone.start[column])).toEqual([-1, -1, 10, 10, 10]);
    const pixels = rowPixels(new Float32Array(steps.length).fill(1), steps.length, 0, columns, reduceHealth);
    expect([50, 300].map((column) => pixels[column])).toEqual([1, Number.NaN]);
  });
});

describe("rowPixels", () => {
  const steps = Array.from({ length: 1000 }, (_, index) => index);
  const columns = pixelColumns(stepAxis(steps), 50);

  it("never loses one sick step among a thousand", () => {
    const values = new Float32Array(2000);
    values[1000 + 777] = PROBLEM;
    const pixels = rowPixels(values, 1000, 1, columns, reduceHealth);
    expect(pixels.filter((code) => code === PROBLEM)).toHaveLength(1);
    expect(pixels[Math.round((777 / 999) * 50)]).toBe(PROBLEM);
    expect(rowPixels(values, 1000, 0, columns, reduceHealth).some((code) => code === PROBLEM)).toBe(false);
  });
});

it("reduces to the farthest or the smallest value, numbers before NaN", () => {
  expect(reduceLargest(-3, 2)).toBe(-3);
  expect(reduceLargest(Number.NaN, 2)).toBe(2);
  expect(reduceLargest(2, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  expect(reduceSmallest(0, 2)).toBe(0);
  expect(reduceSmallest(0.5, Number.NaN)).toBe(0.5);
});

it("merges equal neighbors, gaps too", () => {
  expect(stretches(Float32Array.from([1, 1, Number.NaN, Number.NaN, 1]))).toEqual([
    { from: 0, to: 2, value: 1 },
    { from: 2, to: 4, value: Number.NaN },
    { from: 4, to: 5, value: 1 },
  ]);
  expect(stretches(new Float32Array(0))).toEqual([]);
});
