import { describe, expect, it } from "vitest";
import { allGroups, groupsOf, outline } from "../../src/core/groups";

const NAMES = ["in", "m/a", "m/n/b", "m/n/c", "alone/d", "out"];
const rows = (...folded: string[]) =>
  outline(NAMES, (name) => name, new Set(folded)).map((row) => (row.kind === "group" ? `[${row.path}]` : row.item));

describe("nested models", () => {
  it("are the parts of a name", () => {
    expect(groupsOf("a/b/dense")).toEqual(["a", "a/b"]);
    expect(groupsOf("dense")).toEqual([]);
    expect(allGroups(NAMES)).toEqual(["m", "m/n"]);
  });

  it("stand before their first layer", () => {
    expect(rows()).toEqual(["in", "[m]", "m/a", "[m/n]", "m/n/b", "m/n/c", "alone/d", "out"]);
  });

  it("hide what is in them when folded, however deep", () => {
    expect(rows("m/n")).toEqual(["in", "[m]", "m/a", "[m/n]", "alone/d", "out"]);
    expect(rows("m")).toEqual(["in", "[m]", "alone/d", "out"]);
    expect(rows("m", "m/n")).toEqual(["in", "[m]", "alone/d", "out"]);
  });
});
