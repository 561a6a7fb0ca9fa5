import { expect, it } from "vitest";
import { chartData, drawnLines, type TimeLine, valueOfLine, yScale } from "../../src/charts/series_data";
import { stepAxis } from "../../src/core/axis";
import { PLAIN } from "../../src/core/curve";
import { BY_STEP } from "../../src/core/timeline";

const line = (steps: number[], values: number[]): TimeLine => ({
  name: "run",
  steps,
  values: Float32Array.from(values),
  timeline: BY_STEP,
  color: "#000000",
  dash: [],
});

const STEPS = [0, 10, 20, 30, 40, 500];

it("interrupts the line where nothing was recorded for long", () => {
  const drawn = drawnLines([line(STEPS, [1, 2, 3, 4, 5, 6])], "linear", PLAIN);
  const [places, values] = chartData(drawn, stepAxis(STEPS));
  expect(places).toHaveLength(7);
  expect(values?.[5]).toBeNull();
  expect(values?.[6]).toBe(6);
});

it("draws a moving average over the values", () => {
  const [drawn] = drawnLines([line([0, 1], [0, 1])], "linear", { ...PLAIN, smoothing: 0.5 });
  expect(drawn?.raw?.line).toEqual([0, 1]);
  expect(drawn?.plotted.line[1]).toBeCloseTo(2 / 3);
});

it("reads another run at its record nearest to the step", () => {
  expect(valueOfLine(line([0, 100], [1, 2]), BY_STEP, 60)).toBe(2);
});

it("shows a threshold that is near, and does not flatten the line for one that is far", () => {
  const rangeOf = (threshold: number) => {
    const lines = [line([0, 1], [1, 2])] as const;
    const { range } = yScale(lines, { scale: "linear", bounds: null, curve: PLAIN, thresholds: [threshold] });
    return typeof range === "function" ? range({} as never, 1, 2, "y")[1] : null;
  };
  expect(rangeOf(3)).toBeGreaterThanOrEqual(3);
  expect(rangeOf(100)).toBeLessThan(3);
});
