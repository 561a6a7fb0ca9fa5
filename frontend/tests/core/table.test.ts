import { describe, expect, it } from "vitest";
import { fileName, toCsv } from "../../src/core/table";

const UNIT = { unit: "" };

describe("toCsv", () => {
  it("keeps every digit of a 32-bit float and leaves out what was not measured", () => {
    const values = [Math.fround(0.1), Number.NaN, Number.NEGATIVE_INFINITY];
    const columns = ["a", "b", "c"].map((title) => ({ title, ...UNIT }));
    expect(toCsv({ rowTitle: "Step", columns, rows: [{ name: 1200, values }] })).toBe(
      "Step,a,b,c\r\n1200,0.100000001,,-Infinity\r\n",
    );
    expect(Math.fround(0.100000001)).toBe(values[0]);
  });

  it("quotes names and takes the power from formulas", () => {
    const rows = ['a "b", c', "=1+1", "@x", "two\nlines"].map((name) => ({ name, values: [] }));
    expect(toCsv({ rowTitle: "Layer", columns: [], rows })).toBe(
      'Layer\r\n"a ""b"", c"\r\n\'=1+1\r\n\'@x\r\n"two\nlines"\r\n',
    );
  });

  it("of no rows is the heading", () => {
    expect(toCsv({ rowTitle: "Step", columns: [{ title: "Loss", ...UNIT }], rows: [] })).toBe("Step,Loss\r\n");
  });
});

describe("fileName", () => {
  it.each<[readonly string[], string]>([
    [["train", "block/conv_1"], "train_block_conv_1.csv"],
    [["../../etc/passwd", ""], "etc_passwd.csv"],
    [["<img src=x>"], "img_src_x.csv"],
    [["\u5c64 1"], "\u5c64_1.csv"],
  ])("of %j is %s", (parts, name) => {
    expect(fileName("csv", ...parts)).toBe(name);
  });

  it("stays short", () => {
    expect(fileName("svg", "x".repeat(1000)).length).toBeLessThan(120);
  });
});
