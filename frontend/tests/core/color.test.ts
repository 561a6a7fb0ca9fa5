import { describe, expect, it } from "vitest";
import { mapColor, PALETTES, type Palette, parseColor, type Rgb } from "../../src/core/color";

function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [lighter, darker] = [luminance(parseColor(a)), luminance(parseColor(b))].sort((x, y) => y - x) as [
    number,
    number,
  ];
  return (lighter + 0.05) / (darker + 0.05);
}

const TEXT: readonly (keyof Palette)[] = ["text", "muted", "accent", "problem", "warning", "note", "ok"];

describe.each(["light", "dark"] as const)("the %s palette", (theme) => {
  const palette = PALETTES[theme];

  it.each(TEXT)("keeps %s readable on every ground", (role) => {
    for (const ground of ["page", "surface", "raised", "selected"] as const) {
      expect(contrast(palette[role], palette[ground])).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("gives controls an outline that can be seen", () => {
    expect(contrast(palette["line-strong"], palette.surface)).toBeGreaterThanOrEqual(3);
  });
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
