import { describe, expect, it } from "vitest";
import { bucketBounds, histogramAt, shareRows, valueRows } from "../../src/core/histogram";

/** Rows of an answer with two buckets. */
const answer = (...rows: [number, number, number, number][]) => Float32Array.from(rows.flat());
const read = (data: Float32Array) => Array.from({ length: data.length / 4 }, (_, index) => histogramAt(data, 4, index));

describe("histogramAt", () => {
  it("reads edges and counts of one step", () => {
    const histogram = histogramAt(answer([0, 1, 9, 9], [-1, 3, 1, 3]), 4, 1);
    expect(histogram).toMatchObject({ low: -1, high: 3, total: 4 });
    expect(histogram && [bucketBounds(histogram, 0), bucketBounds(histogram, 1)]).toEqual([
      [-1, 1],
      [1, 3],
    ]);
  });

  it.each<[string, [number, number, number, number]]>([
    ["nothing measured", [Number.NaN, Number.NaN, Number.NaN, Number.NaN]],
    ["no count", [0, 1, 0, 0]],
    ["an infinite edge", [0, Number.POSITIVE_INFINITY, 1, 1]],
  ])("is null with %s", (_, row) => {
    expect(histogramAt(answer(row), 4, 0)).toBeNull();
  });
});

describe("valueRows", () => {
  it("holds all histograms in equal rows", () => {
    expect(valueRows(read(answer([0, 1, 1, 1], [-1, 3, 1, 1])), 4)).toEqual({
      edges: [-1, 0, 1, 2, 3],
      isSymlog: false,
    });
  });

  it("has round edges, whatever the values", () => {
    const rows = valueRows(read(answer([-0.1764, 5.31, 1, 1])), 40);
    expect(rows?.edges.slice(0, 3).map((edge) => Number(edge.toFixed(9)))).toEqual([-0.32, -0.16, 0]);
    expect(rows?.edges[40]).toBeGreaterThanOrEqual(5.31);
    for (const [low, high] of [
      [1e-9, 7e-9],
      [-3, 1e5],
      [-41.7, -41.6],
    ] as const) {
      const { edges } = valueRows(read(answer([low, high, 1, 1])), 40) ?? { edges: [] };
      expect(edges).toHaveLength(41);
      expect(edges[0]).toBeLessThanOrEqual(low + 1e-6 * (high - low));
      expect(edges[40]).toBeGreaterThanOrEqual(high - 1e-6 * (high - low));
    }
  });

  it("goes over to a logarithmic axis when one step is far wider than the others", () => {
    const rows = valueRows(read(answer([-1, 1, 1, 1], [-1, 1, 1, 1], [-1000, 1000, 1, 1])), 4);
    expect(rows?.isSymlog).toBe(true);
    expect(rows?.edges[0]).toBe(-1000);
    expect(rows?.edges[2]).toBeCloseTo(0);
    expect(rows?.edges[3]).toBeLessThan(50);
    expect(rows?.edges[4]).toBe(1000);
  });

  it("has rows at values of two digits on a logarithmic axis, too", () => {
    const { edges } = valueRows(read(answer([-1, 1, 1, 1], [-1, 1, 1, 1], [-837.3, 999.1, 1, 1])), 40) ?? { edges: [] };
    const inner = edges.slice(1, -1);
    expect(inner).toHaveLength(39);
    for (const edge of inner) expect(Number(edge.toPrecision(2))).toBe(edge);
    expect([...edges].sort((one, other) => one - other)).toEqual(edges);
  });

  it("has room around a single value", () => {
    expect(valueRows(read(answer([0, 0, 5, 0])), 2)?.edges).toEqual([-1, 0, 1]);
  });

  it("is null without a histogram", () => {
    expect(valueRows([null, null], 4)).toBeNull();
  });
});

describe("shareRows", () => {
  it("puts the highest values in the first row and keeps every value once", () => {
    const histograms = read(answer([0, 4, 3, 1], [0, 0, 7, 0]));
    const rows = valueRows(histograms, 4) ?? { edges: [], isSymlog: false };
    expect([...shareRows(histograms, rows)]).toEqual([0.125, 0, 0.125, 0, 0.375, 0, 0.375, 1]);
  });

  it("keeps the sum on a bent axis", () => {
    const histograms = read(answer([-1, 1, 1, 1], [-1, 1, 1, 1], [-1000, 1000, 5, 3]));
    const rows = valueRows(histograms, 9) ?? { edges: [], isSymlog: false };
    const shares = shareRows(histograms, rows);
    for (const step of [0, 1, 2]) {
      const column = Array.from({ length: 9 }, (_, row) => shares[row * 3 + step] ?? Number.NaN);
      expect(column.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
    }
  });

  it("has no value where nothing was measured", () => {
    const histograms = [...read(answer([0, 1, 1, 1])), null];
    const rows = valueRows(histograms, 2) ?? { edges: [], isSymlog: false };
    expect([...shareRows(histograms, rows)]).toEqual([0.5, Number.NaN, 0.5, Number.NaN]);
  });
});
