import { expect, it } from "vitest";
import { layersTable } from "../../src/core/layers_table";
import { rankLayers } from "../../src/core/ranking";
import { toCsv } from "../../src/core/table";
import { finding, layer, RULES } from "../samples";

it("holds the list of layers in its order, with the finding in words", () => {
  const ranked = rankLayers([layer({ severity: "problem" })], [finding()], RULES, "severity");
  expect(toCsv(layersTable(ranked)).split("\r\n")[1]).toBe(
    'dense,Dense,Problem,"Dead units since step 1,400: share of units dead 78.1%",0,16,272,',
  );
});
