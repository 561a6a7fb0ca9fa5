import { interpolateCividis, interpolatePuOr } from "d3-scale-chromatic";
import type { HealthState } from "./severity";

/** Red, green and blue from 0 to 255. */
export type Rgb = readonly [number, number, number];

export type Theme = "light" | "dark";

/** Every color of the page by role; the style sheets read it as `--role`. */
export interface Palette {
  readonly page: string;
  readonly surface: string;
  readonly raised: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly "line-strong": string;
  readonly accent: string;
  readonly selected: string;
  readonly series: string;
  readonly problem: string;
  readonly warning: string;
  readonly note: string;
  readonly "problem-fill": string;
  readonly "warning-fill": string;
  readonly "note-fill": string;
  readonly ok: string;
  readonly "ok-fill": string;
  readonly "quiet-fill": string;
  readonly hatch: string;
  readonly alarm: string;
  readonly "alarm-ground": string;
}

/** Orange and sky are darker in the light theme, where they would hardly stand out from white. */
const OKABE_ITO = { vermillion: "#d55e00", orange: "#e69f00", sky: "#56b4e9" } as const;

export const PALETTES: Readonly<Record<Theme, Palette>> = {
  light: {
    page: "#f5f6f7",
    surface: "#ffffff",
    raised: "#f1f3f4",
    text: "#202124",
    muted: "#5f6368",
    line: "#e2e4e7",
    "line-strong": "#80868b",
    accent: "#0b66a8",
    selected: "#e6f0f8",
    series: "#006dab",
    problem: "#a84300",
    warning: "#8a5a00",
    note: "#006dab",
    "problem-fill": OKABE_ITO.vermillion,
    "warning-fill": "#c68400",
    "note-fill": "#2f93cc",
    ok: "#5f6368",
    "ok-fill": "#8a939b",
    "quiet-fill": "#ffffff",
    hatch: "#8d9297",
    alarm: "#ff4fd8",
    "alarm-ground": "#000000",
  },
  dark: {
    page: "#202124",
    surface: "#292a2d",
    raised: "#35363a",
    text: "#e8eaed",
    muted: "#bdc1c6",
    line: "#3f4145",
    "line-strong": "#8e9297",
    accent: "#8ec7f3",
    selected: "#2c3d4b",
    series: "#56b4e9",
    problem: "#ff9d5c",
    warning: "#e69f00",
    note: "#56b4e9",
    "problem-fill": OKABE_ITO.vermillion,
    "warning-fill": OKABE_ITO.orange,
    "note-fill": OKABE_ITO.sky,
    ok: "#bdc1c6",
    "ok-fill": "#7b838b",
    "quiet-fill": "#292a2d",
    hatch: "#868b91",
    alarm: "#ff4fd8",
    "alarm-ground": "#000000",
  },
};

export function stateFill(state: HealthState, palette: Palette): string {
  switch (state) {
    case "problem":
      return palette["problem-fill"];
    case "warning":
      return palette["warning-fill"];
    case "note":
      return palette["note-fill"];
    case "ok":
      return palette["ok-fill"];
    case "not_applicable":
    case "insufficient_data":
    case "unobserved":
      return palette["quiet-fill"];
    case "error":
      return palette["alarm-ground"];
    default: {
      const never: never = state;
      return never;
    }
  }
}

/** Parses "#rrggbb" and "rgb(r, g, b)". Throws on anything else. */
export function parseColor(text: string): Rgb {
  const hex = /^#([0-9a-f]{6})$/i.exec(text)?.[1];
  if (hex !== undefined) {
    const value = Number.parseInt(hex, 16);
    return [value >> 16, (value >> 8) & 255, value & 255];
  }
  const parts = /^rgb\((\d+), ?(\d+), ?(\d+)\)$/.exec(text);
  if (parts === null) throw new Error(`"${text}" is not a color of the form #rrggbb or rgb(r, g, b)`);
  return [Number(parts[1]), Number(parts[2]), Number(parts[3])];
}

const TABLE_SIZE = 256;

function table(interpolate: (position: number) => string): readonly Rgb[] {
  return Array.from({ length: TABLE_SIZE }, (_, index) => parseColor(interpolate(index / (TABLE_SIZE - 1))));
}

const CIVIDIS = table(interpolateCividis);
const PURPLE_TO_ORANGE = table((position) => interpolatePuOr(1 - position));

/** The color of a position in [0, 1]: cividis, or purple over white to orange around zero. */
export function mapColor(position: number, diverging: boolean): Rgb {
  const colors = diverging ? PURPLE_TO_ORANGE : CIVIDIS;
  const index = Math.round(Math.min(1, Math.max(0, position)) * (TABLE_SIZE - 1));
  return colors[index] ?? [0, 0, 0];
}

/** Contrast of two colors after WCAG 2, from 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((left, right) => right - left);
  return (high + 0.05) / (low + 0.05);
}

/** Relative, after WCAG 2, from 0 to 1. */
export function luminance(color: Rgb): number {
  const [red = 0, green = 0, blue = 0] = color.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Of a graphical object against its background. */
export const LEAST_CONTRAST = 3;
const STEP = 0.05;

/** The color, mixed with black or white as far as needed to stand out from the background. */
export function standingOut(color: string, background: string): string {
  const ground = parseColor(background);
  const target = luminance(ground) > 0.3 ? 0 : 255;
  const own = parseColor(color);
  for (let share = 0; share <= 1; share += STEP) {
    const [red = 0, green = 0, blue = 0] = own.map((value) => Math.round(value + (target - value) * share));
    if (contrast([red, green, blue], ground) >= LEAST_CONTRAST) return `rgb(${red}, ${green}, ${blue})`;
  }
  return color;
}
