import type { RankedLayer } from "./ranking";
import { stateWord } from "./severity";
import type { NumberTable } from "./table";

/** The layers with their state, in the given order. */
export function layersTable(layers: readonly RankedLayer[]): NumberTable {
  return {
    rowTitle: "Layer",
    columns: ["Class", "State", "Finding", "Further findings", "Units", "Weights", "Inputs"].map((title) => ({
      title,
      unit: "",
    })),
    rows: layers.map(({ layer, state, words, more }) => ({
      name: layer.name,
      values: [layer.class_name, stateWord(state), words, more, layer.units, layer.parameters, layer.inputs.join(" ")],
    })),
  };
}
