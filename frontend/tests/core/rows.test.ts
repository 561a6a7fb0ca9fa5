import { expect, it } from "vitest";
import { reduceHealth } from "../../src/core/raster";
import { endOfName, foldedRows, mergedRows, rowOfLayer, rowTitle } from "../../src/core/rows";

const NAMES = ["input", "encoder/a", "encoder/b", "head"];

it("gives a collapsed model one row in every chart, with the worst of its layers", () => {
  const rows = foldedRows(NAMES, new Set(["encoder"]));
  expect(rows.map(rowTitle)).toEqual(["input", "\u25b8 encoder (2)", "head"]);
  expect(rowOfLayer(rows, 2)).toBe(1);
  const merged = mergedRows(Float32Array.from([0, 0, 1, 0, 0, 3, 0, 0]), 2, rows, reduceHealth);
  expect([...merged]).toEqual([0, 0, 1, 3, 0, 0]);
});

it("leaves values alone while nothing is collapsed, and drops layers that are filtered out", () => {
  const values = Float32Array.from([1, 2, 3, 4]);
  expect(mergedRows(values, 1, foldedRows(NAMES, new Set()), reduceHealth)).toBe(values);
  expect(foldedRows(NAMES, new Set(), (name) => name !== "input").map(({ name }) => name)).toEqual(NAMES.slice(1));
});

it("keeps the end of a long name", () => {
  expect(endOfName("encoder/block_1/conv", 9)).toBe("\u2026k_1/conv");
  expect(endOfName("conv", 9)).toBe("conv");
});
