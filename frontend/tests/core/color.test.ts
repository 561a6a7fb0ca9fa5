import { describe, expect, it } from "vitest";
import { type CellLook, deadLook, gapLook, healthLook, valueLook } from "../../src/charts/look";
import {
  contrast,
  luminance,
  mapColor,
  PALETTES,
  type Palette,
  parseColor,
  standingOut,
  stateFill,
} from "../../src/core/color";
import { HEALTH_CODES } from "../../src/core/severity";

const between = (a: string, b: string) => contrast(parseColor(a), parseColor(b));

const TEXT: readonly (keyof Palette)[] = ["text", "muted", "accent", "problem", "warning", "note", "ok"];

describe.each(["light", "dark"] as const)("the %s palette", (theme) => {
  const palette = PALETTES[theme];

  it.each(TEXT)("keeps %s readable on every ground", (role) => {
    for (const ground of ["page", "surface", "raised", "selected"] as const) {
      expect(between(palette[role], palette[ground])).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("gives controls an outline that can be seen", () => {
    expect(between(palette["line-strong"], palette.surface)).toBeGreaterThanOrEqual(3);
  });
});

describe.each(["light", "dark"] as const)("a state in the %s theme", (theme) => {
  const palette = PALETTES[theme];
  const looks = HEALTH_CODES.map((state, code) => ({ state, ...healthLook(palette)(code) }));

  it.each(looks)("stands out from the background by its fill or its pattern: $state", ({ state, pattern, ink }) => {
    const surface = parseColor(palette.surface);
    const isFilled = contrast(parseColor(stateFill(state, palette)), surface) >= 3;
    const isPatterned = pattern !== "none" && ink !== null && contrast(parseColor(ink), surface) >= 3;
    expect(isFilled || isPatterned).toBe(true);
  });

  it("looks like no other one, nor like a value that is missing, not finite, zero or dead, nor like a step without a record", () => {
    const values = valueLook(null, palette);
    const others = [
      values(Number.NaN),
      values(Number.POSITIVE_INFINITY),
      values(0),
      deadLook(palette),
      gapLook(palette),
    ];
    const keys = (all: readonly CellLook[]) => new Set(all.map(({ fill, pattern }) => `${fill} ${pattern}`)).size;
    expect(keys(looks)).toBe(looks.length);
    expect(keys(others)).toBe(others.length);
  });
});

it("moves a color only as far as needed to stand out", () => {
  expect(standingOut("#e52592", "#ffffff")).toBe("#e52592");
  const amber = standingOut("#f9ab00", "#ffffff");
  expect(between(amber, "#ffffff")).toBeGreaterThanOrEqual(3);
  expect(between(amber, "#f9ab00")).toBeLessThan(2);
});

describe("mapColor", () => {
  it("grows lighter from low to high, so that it is read without hue", () => {
    const steps = Array.from({ length: 20 }, (_, index) => luminance(mapColor(index / 19, false)));
    expect([...steps].sort((a, b) => a - b)).toEqual(steps);
  });

  it("is lightest at zero where directions differ", () => {
    const middle = luminance(mapColor(0.5, true));
    expect(middle).toBeGreaterThan(luminance(mapColor(0, true)));
    expect(middle).toBeGreaterThan(luminance(mapColor(1, true)));
  });
});

it("refuses what is not a color", () => {
  expect(() => parseColor("red")).toThrow(/"red" is not a color/);
});
