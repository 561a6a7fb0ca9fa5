import { describe, expect, it } from "vitest";
import { gapsOf, recordCells } from "../../src/core/coverage";

const every = (interval: number, from: number, to: number) =>
  Array.from({ length: (to - from) / interval + 1 }, (_, index) => from + index * interval);

describe("the steps that records stand for", () => {
  it("reach from one record to the next while the sampling interval is regular or grows slowly", () => {
    const growing = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 20, 25, 31, 38, 47, 58, 71, 87, 107, 132, 160, 197];
    for (const steps of [every(10, 0, 500), growing]) {
      const cells = recordCells(steps);
      expect(cells.slice(1).every(({ from }, index) => from === cells[index]?.to)).toBe(true);
      expect(gapsOf(cells, { from: 0, to: steps[steps.length - 1] ?? 0 })).toEqual([]);
    }
  });

  it("end where a training was not observed for an unusually long time", () => {
    const steps = [...every(11, 0, 110), 527];
    expect(gapsOf(recordCells(steps), { from: 0, to: 527 })).toEqual([{ from: 115.5, to: 521.5 }]);
  });

  it("leave out what comes before the first and after the last record of a chart", () => {
    expect(gapsOf(recordCells([200, 300, 400]), { from: 0, to: 1000 })).toEqual([
      { from: 0, to: 150 },
      { from: 450, to: 1000 },
    ]);
  });

  it("are known for one record and for none", () => {
    expect(recordCells([7])).toEqual([{ from: 6.5, to: 7.5 }]);
    expect(gapsOf(recordCells([]), { from: 0, to: 10 })).toEqual([{ from: 0, to: 10 }]);
  });
});
