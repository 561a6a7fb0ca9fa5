import { mapColor, type Palette, parseColor, type Rgb, stateFill } from "../core/color";
import type { ValueScale } from "../core/scale";
import { type HealthState, healthOfCode, severityToCome } from "../core/severity";

/** Hatching is kept for steps without a record. */
export type Pattern = "none" | "hatch" | "rise" | "cross" | "dots" | "line" | "dashes" | "bars";

/** How one value of a matrix is drawn. */
export interface CellLook {
  readonly fill: Rgb;
  readonly pattern: Pattern;
  /** Drawn at the start of a run of equal cells if there is room. */
  readonly glyph: string;
  /** Color of glyph, outline and pattern; null draws no outline. */
  readonly ink: string | null;
}

export const GLYPHS: Readonly<Record<HealthState, string>> = {
  problem: "\u25b2",
  warning: "\u25c6",
  note: "\u25cb",
  ok: "\u2713",
  not_applicable: "\u2013",
  insufficient_data: "\u2026",
  error: "!",
  muted: "\u2298",
  early_problem: "\u25b3",
  early_warning: "\u25c7",
  early_note: "\u25cc",
  unobserved: "\u00d7",
};

export type LookOf = (value: number) => CellLook;

function missing(palette: Palette): CellLook {
  return { fill: parseColor(palette.surface), pattern: "dots", glyph: "", ink: palette.hatch };
}

/** Steps that were not recorded. */
export function gapLook(palette: Palette): CellLook {
  return { fill: parseColor(palette.surface), pattern: "hatch", glyph: "", ink: palette.hatch };
}

/** A unit that died and stayed silent. */
export function deadLook(palette: Palette): CellLook {
  return { fill: parseColor(palette["problem-fill"]), pattern: "none", glyph: GLYPHS.problem, ink: "#000000" };
}

function infinite(palette: Palette): CellLook {
  return { fill: parseColor(palette["alarm-ground"]), pattern: "cross", glyph: "!", ink: palette.alarm };
}

export function healthLook(palette: Palette): LookOf {
  const looks = new Map<HealthState | null, CellLook>();
  const build = (state: HealthState | null): CellLook => {
    if (state === null) return missing(palette);
    const fill = parseColor(stateFill(state, palette));
    switch (state) {
      case "problem":
      case "warning":
      case "note":
        return { fill, pattern: "none", glyph: GLYPHS[state], ink: "#000000" };
      case "error":
        return { fill, pattern: "cross", glyph: GLYPHS[state], ink: palette.alarm };
      case "insufficient_data":
        return { fill, pattern: "dots", glyph: "", ink: palette.hatch };
      case "not_applicable":
        return { fill, pattern: "line", glyph: "", ink: palette.hatch };
      case "unobserved":
        return { fill, pattern: "dashes", glyph: "", ink: palette.hatch };
      case "muted":
        return { fill, pattern: "bars", glyph: "", ink: palette.hatch };
      case "early_problem":
      case "early_warning":
      case "early_note":
        return { fill, pattern: "rise", glyph: "", ink: palette[`${severityToCome(state)}-fill`] };
      case "ok":
        return { fill, pattern: "none", glyph: "", ink: null };
      default: {
        const never: never = state;
        return never;
      }
    }
  };
  return (value) => {
    const state = healthOfCode(value);
    const known = looks.get(state) ?? build(state);
    looks.set(state, known);
    return known;
  };
}

/** Values on a color scale. Nonpositive values on a logarithmic scale are drawn as black cells. */
export function valueLook(scale: ValueScale | null, palette: Palette): LookOf {
  const hatched = missing(palette);
  const crossed = infinite(palette);
  const zero: CellLook = { fill: [0, 0, 0], pattern: "none", glyph: "0", ink: "#c4c7cb" };
  return (value) => {
    if (Number.isNaN(value)) return hatched;
    if (!Number.isFinite(value)) return crossed;
    if (scale === null || (scale.kind === "log" && value <= 0)) return zero;
    return { fill: mapColor(scale.position(value), scale.diverging), pattern: "none", glyph: "", ink: null };
  };
}
