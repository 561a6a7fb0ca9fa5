import { describe, expect, it } from "vitest";
import {
  type BrowserMutes,
  queryOf,
  readMutes,
  runKey,
  withMuted,
  withNotes,
  writeMutes,
} from "../../src/core/browser_mutes";
import { finding } from "../samples";

const KEY = runKey({ name: "train", start_time: 7 });
const DEAD = finding();
const MUTED = withMuted({}, KEY, [DEAD], "sparse on purpose", 12);

describe("mutes in the browser", () => {
  it("belong to one run, not to another of its name", () => {
    expect(MUTED[runKey({ name: "train", start_time: 8 })]).toBeUndefined();
    expect(MUTED[KEY]?.map(({ note }) => note)).toEqual(["sparse on purpose"]);
  });

  it("end without leaving anything behind", () => {
    const again = withMuted(MUTED, KEY, [DEAD], "again", 13);
    expect(again[KEY]).toHaveLength(1);
    expect(withMuted(again, KEY, [DEAD], null, 14)).toEqual({});
  });

  it("survive being stored, and nothing else does", () => {
    expect(readMutes(writeMutes(MUTED))).toEqual(MUTED);
    for (const text of [null, "", "{", "[]", "null", '{"a": [{"rule": 1}]}', '{"a": {}}'])
      expect(readMutes(text)).toEqual({});
  });

  it("drop the oldest runs when they fill the store", () => {
    const long = "x".repeat(1000);
    const many = Array.from({ length: 600 }, (_, index) => index).reduce<BrowserMutes>(
      (mutes, index) => withMuted(mutes, `run ${index}`, [DEAD], long, index),
      {},
    );
    const kept = Object.keys(readMutes(writeMutes(many)));
    expect(kept.at(-1)).toBe("run 599");
    expect(kept.length).toBeLessThan(600);
    expect(kept.length).toBeGreaterThan(300);
  });

  it("fit into an address", () => {
    expect(queryOf([])).toBe("");
    const [mute] = MUTED[KEY] ?? [];
    if (mute === undefined) throw new Error("no mute");
    expect(JSON.parse(queryOf([mute]))).toEqual([{ rule: "dead_units", layer: "dense", severity: "problem" }]);
    const many = Array.from({ length: 1000 }, (_, index) => ({ ...mute, layer: `層_${index}` }));
    const query = queryOf(many);
    expect(encodeURIComponent(query).length).toBeLessThanOrEqual(8000);
    expect(query).toContain("層_999");
  });

  it("give findings the notes that the server does not know", () => {
    const mutes = MUTED[KEY] ?? [];
    const [own, stored] = withNotes(
      [
        finding({ mute: { note: "", time: 0, stored: "browser" } }),
        finding({ mute: { note: "of the run", time: 1, stored: "run" } }),
      ],
      mutes,
    );
    expect(own?.mute).toEqual({ note: "sparse on purpose", time: 12, stored: "browser" });
    expect(stored?.mute?.note).toBe("of the run");
  });
});
