import { expect, it } from "vitest";
import type { Frame, SequencesHeader } from "../../src/core/frame";
import { overTime, timeNames, timeTable } from "../../src/core/through_time";

const FRAME: Frame<SequencesHeader> = {
  header: {
    run: "r",
    layer: "cell",
    shape: [2, 2, 3],
    steps: [0, 10],
    recorded_steps: 2,
    lengths: [3, 2],
    readings: ["", ""],
  },
  data: Float32Array.of(1, 2, 3, 4, 5, Number.NaN, 10, 20, 30, 40, 50, Number.NaN),
};

it("puts time steps in rows and observed steps in columns", () => {
  expect([...overTime(FRAME, 0)]).toEqual([1, 4, 2, 5, 3, Number.NaN]);
  expect([...overTime(FRAME, 1)]).toEqual([10, 40, 20, 50, 30, Number.NaN]);
});

it("has nothing for a layer that was not measured", () => {
  const header = { ...FRAME.header, shape: [2, 0, 0], steps: [], lengths: [], readings: [] };
  expect(overTime({ header, data: new Float32Array() }, 1)).toHaveLength(0);
});

it("names bins by the first time step that the server puts into them", () => {
  expect(timeNames(3, 3)).toEqual(["1", "2", "3"]);
  expect(timeNames(128, 64).slice(0, 3)).toEqual(["1", "3", "5"]);
  const binOf = (time: number) => Math.floor((time * 64) / 150);
  expect(timeNames(150, 64).map((name) => binOf(Number(name) - 1))).toEqual(
    Array.from({ length: 64 }, (_, bin) => bin),
  );
  expect(timeNames(2, 3)).toEqual(["1", "2", "3"]);
});

it("lists both values of each time step", () => {
  const { rows, columns } = timeTable(["1", "2"], Float32Array.of(1, 2), Float32Array.of(8, 9));
  expect(columns.map(({ title }) => title)).toEqual(["Gradient RMS", "Output RMS"]);
  expect(rows).toEqual([
    { name: "1", values: [8, 1] },
    { name: "2", values: [9, 2] },
  ]);
});
