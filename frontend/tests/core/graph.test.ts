import { describe, expect, it } from "vitest";
import { modelMap } from "../../src/core/graph";
import { layer } from "../samples";

const NONE = new Set<string>();
const named = (name: string, ...inputs: string[]) => layer({ name, inputs });

describe("modelMap", () => {
  it("chains layers in call order when connections are not known", () => {
    const map = modelMap([named("a"), named("b"), named("c")], NONE);
    expect(map.isConnected).toBe(false);
    expect(map.laneCount).toBe(1);
    expect(map.rows.map(({ inputs, hasOutput }) => [inputs, hasOutput])).toEqual([
      [[], true],
      [[0], true],
      [[0], false],
    ]);
  });

  it("leads a skip connection past its branch", () => {
    const map = modelMap([named("x"), named("conv1", "x"), named("conv2", "conv1"), named("add", "x", "conv2")], NONE);
    expect(map.isConnected).toBe(true);
    expect(map.laneCount).toBe(2);
    expect(map.rows.map(({ name, lane, inputs, passing }) => ({ name, lane, inputs, passing }))).toEqual([
      { name: "x", lane: 0, inputs: [], passing: [] },
      { name: "conv1", lane: 1, inputs: [0], passing: [0] },
      { name: "conv2", lane: 1, inputs: [1], passing: [0] },
      { name: "add", lane: 0, inputs: [0, 1], passing: [] },
    ]);
  });

  it("folds a nested model into one row with the connections of all its layers", () => {
    const layers = [
      named("in"),
      named("m/a", "in"),
      named("m/b", "m/a"),
      named("skip", "in"),
      named("out", "m/b", "skip"),
    ];
    const map = modelMap(layers, new Set(["m"]));
    expect(map.rows.map(({ name, isGroup, members }) => [name, isGroup, members])).toEqual([
      ["in", false, [0]],
      ["m", true, [1, 2]],
      ["skip", false, [3]],
      ["out", false, [4]],
    ]);
    expect(map.rows[3]?.inputs).toHaveLength(2);
  });

  it("leaves out single calls, and lines that lead backwards", () => {
    const layers = [named("a", "b@1"), named("b", "a"), layer({ name: "b@1", call_site: 1 }), named("c", "b@1")];
    const map = modelMap(layers, NONE);
    expect(map.rows.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect(map.rows.map(({ inputs }) => inputs.length)).toEqual([0, 1, 1]);
  });

  it("needs no more lanes than outputs are alive at once", () => {
    const deep = Array.from({ length: 200 }, (_, index) =>
      named(
        `l${index}`,
        ...(index === 0 ? [] : index % 3 === 0 ? [`l${index - 3}`, `l${index - 1}`] : [`l${index - 1}`]),
      ),
    );
    expect(modelMap(deep, NONE).laneCount).toBe(2);
    expect(modelMap([], NONE).rows).toEqual([]);
  });
});
