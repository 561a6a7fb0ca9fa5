import { expect, it } from "vitest";
import { toCsv } from "../../src/core/table";
import { unitWords } from "../../src/core/unit_words";
import { unitsTable } from "../../src/core/units_table";
import { layer } from "../samples";

it("lists which units are dead since when", () => {
  const lives = [
    { unit: 0, state: "alive", since_step: null, revivals: 0, samples: 0, activity_below: null },
    { unit: 1, state: "died", since_step: 360, revivals: 1, samples: 4096, activity_below: 0.001 },
  ] as const;
  const table = unitsTable(lives, [1, 0], (index) => (index === 0 ? 0.5 : 0), unitWords(layer()));
  const [, ...rows] = toCsv(table).trim().split("\r\n");
  expect(rows).toEqual(["1,dead,360,1,4096,0.001,0", "0,active,,0,,,0.5"]);
});

it("calls the units of attention heads", () => {
  const words = unitWords(layer({ class_name: "AttentionHeads" }));
  const table = unitsTable([], [], () => 0, words);
  expect([table.rowTitle, table.columns.at(-1)?.title]).toEqual(["Head", "Attention entropy at the step"]);
});
