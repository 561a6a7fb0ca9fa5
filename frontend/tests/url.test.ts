import { describe, expect, it } from "vitest";
import { isOwnHash, type Place, readPlace, writePlace } from "../src/core/url";

const FULL: Place = {
  run: "a/b & c=d#é%",
  layer: "<img src=x onerror=alert(1)>",
  stat: "gradient_norm",
  step: 420,
  sort: "model",
  series: ["mean", "std"],
};

describe("place in the address", () => {
  it("comes back as it was written, whatever the names hold", () => {
    expect(readPlace(writePlace("", FULL))).toEqual(FULL);
  });

  it("leaves out what is default", () => {
    expect(writePlace("#layer_health", { run: "r", step: undefined })).toBe("#layer_health&p.layer_health.run=r");
  });

  it("keeps the keys of others and replaces its own", () => {
    const hash = "#layer_health&runFilter=x&p.layer_health.run=old&p.other.run=y";
    expect(writePlace(hash, { run: "new" })).toBe("#layer_health&runFilter=x&p.other.run=y&p.layer_health.run=new");
  });

  it("ignores what cannot be read", () => {
    const place = readPlace("#layer_health&p.layer_health.run=%E0%A4%A&p.layer_health.step=-3&p.layer_health.sort=up");
    expect(place).toEqual({
      run: undefined,
      layer: undefined,
      stat: undefined,
      step: undefined,
      sort: undefined,
      series: undefined,
    });
  });
});

it("knows whether the address shows this tab", () => {
  expect(["", "#", "#layer_health", "#layer_health&a=b"].every(isOwnHash)).toBe(true);
  expect(["#scalars", "#timeseries&p.layer_health.run=x"].some(isOwnHash)).toBe(false);
});
