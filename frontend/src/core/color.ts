import { type HealthState, severityToCome } from "./severity";

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

/** Of the color of a severity in that of findings which were not confirmed yet. */
const FAINT = 0.25;

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
    case "muted":
      return palette["quiet-fill"];
    case "error":
      return palette["alarm-ground"];
    case "early_problem":
    case "early_warning":
    case "early_note":
      return mixed(palette["quiet-fill"], palette[`${severityToCome(state)}-fill`], FAINT);
    default: {
      const never: never = state;
      return never;
    }
  }
}

function mixed(color: string, other: string, share: number): string {
  const target = parseColor(other);
  const parts = parseColor(color).map((value, part) => Math.round(value + ((target[part] ?? 0) - value) * share));
  return `rgb(${parts.join(", ")})`;
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

/** Cividis, a color map that reads the same with and without color vision (Nuñez, Anderson and Renslow 2018), at equal steps. */
const CIVIDIS_COLORS =
  "#002051 #012b65 #11366c #26426e #3c4d6e #51586e #62646f #727071 #7f7c75 #8c8877 #9a9478 #a9a177 #bbaf71 #cebd68 #e2cb5c #f3da4f #fdea45";
/** Lightest in the middle. */
const ORANGE_TO_PURPLE_COLORS = "#703400 #b25f0c #e2983a #f8cf98 #f6f3ee #cfcbe3 #a195c7 #6a4d99 #30104f";

/** Colors between those listed, which are equally far apart. */
function table(listed: string): readonly Rgb[] {
  const anchors = listed.split(" ").map(parseColor);
  return Array.from({ length: TABLE_SIZE }, (_, index) => {
    const place = (index / (TABLE_SIZE - 1)) * (anchors.length - 1);
    const [low, high] = [anchors[Math.floor(place)], anchors[Math.ceil(place)]];
    const between = (part: 0 | 1 | 2) => {
      const [from, to] = [low?.[part] ?? 0, high?.[part] ?? 0];
      return Math.round(from + (to - from) * (place % 1));
    };
    return [between(0), between(1), between(2)];
  });
}

const CIVIDIS = table(CIVIDIS_COLORS);
const ORANGE_TO_PURPLE = table(ORANGE_TO_PURPLE_COLORS);

/** The color of a position in [0, 1]: cividis, or orange over white to purple around zero. */
export function mapColor(position: number, diverging: boolean): Rgb {
  const colors = diverging ? ORANGE_TO_PURPLE : CIVIDIS;
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
  if (contrast(parseColor(color), ground) >= LEAST_CONTRAST) return color;
  const target = luminance(ground) > 0.3 ? 0 : 255;
  const own = parseColor(color);
  for (let share = STEP; share <= 1; share += STEP) {
    const [red = 0, green = 0, blue = 0] = own.map((value) => Math.round(value + (target - value) * share));
    if (contrast([red, green, blue], ground) >= LEAST_CONTRAST) return `rgb(${red}, ${green}, ${blue})`;
  }
  return color;
}
