import { describe, expect, it } from "vitest";
import { leftOutWords } from "../../src/core/left_out";

describe("leftOutWords", () => {
  it.each([
    [[], ""],
    [[{}, {}], ""],
    [[{ layers: 90_000, weights: 1 }], "90,000 layers, 1 weight"],
    [[{ layers: 2 }, { findings: 1 }, { layers: 3 }], "3 layers, 1 finding"],
    [[{ pictures: 7, cadence: 2 }], "7 series of pictures, 2 sampling settings"],
  ])("%j reads %j", (answers, words) => {
    expect(leftOutWords(answers)).toBe(words);
  });
});
