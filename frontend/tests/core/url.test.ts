import { describe, expect, it } from "vitest";
import { isOwnHash, type Place, readPlace, writePlace } from "../../src/core/url";

const FULL: Place = {
  run: "a/b & c=d#é%",
  layer: "<img src=x onerror=alert(1)>",
  stat: "gradient_norm",
  step: 420,
  sort: "model",
  series: ["mean", "std"],
  others: ["b,c", "100%", ","],
  scale: "symlog",
  depth: "std",
  kind: "gradient",
  picture: "feature_maps/conv 1",
  x: "epoch",
  zoom: { from: -0.5, to: 300.2 },
  filter: "conv & more",
  flag: "dead_units",
  folded: ["a/b"],
};

describe("place in the address", () => {
  it("comes back as it was written, whatever the names hold", () => {
    expect(readPlace(writePlace("", FULL))).toEqual(FULL);
    expect(readPlace(writePlace("", { others: [] })).others).toEqual([]);
  });

  it("leaves out what is default", () => {
    expect(writePlace("#layer_health", { run: "r", step: undefined })).toBe("#layer_health&p.layer_health.run=r");
  });

  it("keeps the keys of others and replaces its own", () => {
    const hash = "#layer_health&runFilter=x&p.layer_health.run=old&p.other.run=y";
    expect(writePlace(hash, { run: "new" })).toBe("#layer_health&runFilter=x&p.other.run=y&p.layer_health.run=new");
  });

  it("ignores what cannot be read", () => {
    const keys = ["run=%E0%A4%A", "step=-3", "sort=up", "x=day", "zoom=9~3", "scale=cubic", "kind=weight"];
    const place = readPlace(`#layer_health&${keys.map((key) => `p.layer_health.${key}`).join("&")}`);
    expect(Object.values(place).filter((value) => value !== undefined)).toEqual([]);
  });
});

it("knows whether the address shows this tab", () => {
  expect(["", "#", "#layer_health", "#layer_health&a=b"].every(isOwnHash)).toBe(true);
  expect(["#scalars", "#timeseries&p.layer_health.run=x"].some(isOwnHash)).toBe(false);
});
