import { mapColor, type Palette, stateFill } from "../core/color";
import { formatValue } from "../core/format";
import { scaleName, type ValueScale } from "../core/scale";
import { type HealthState, stateWord } from "../core/severity";
import type { Statistic } from "../core/types";
import { GLYPHS } from "./look";

const STOPS = 24;

function gradient(diverging: boolean): string {
  const stops = Array.from({ length: STOPS + 1 }, (_, index) => {
    const [red, green, blue] = mapColor(index / STOPS, diverging);
    return `rgb(${red}, ${green}, ${blue})`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

function scaleWords({ kind, diverging }: ValueScale): string {
  return kind === "linear" && diverging ? "linear, around zero" : scaleName(kind);
}

/** Space for the label at an end, as a fraction of the bar. */
const END_LABEL = 0.24;

/** Both ends, and the ticks that fit between them. */
export function barTicks(scale: ValueScale): number[] {
  const inner = scale.ticks.filter((tick) => {
    const position = scale.position(tick);
    return position > END_LABEL && position < 1 - END_LABEL;
  });
  return [scale.low, ...inner.slice(0, 3), scale.high];
}

interface ColorBarProps {
  readonly scale: ValueScale | null;
  readonly statistic: Statistic;
  /** Whether any value is nonpositive on a logarithmic scale, missing or infinite. */
  readonly specials: SpecialValues;
  /** Whether there are steps without a record. */
  readonly hasGaps?: boolean;
  readonly hasDead?: boolean;
}

export interface SpecialValues {
  readonly hasBelow: boolean;
  readonly hasMissing: boolean;
  readonly hasInfinite: boolean;
}

export function specialValues(values: Float32Array, scale: ValueScale | null): SpecialValues {
  const isLog = scale === null || scale.kind === "log";
  let hasBelow = false;
  let hasMissing = false;
  let hasInfinite = false;
  for (const value of values) {
    if (Number.isNaN(value)) hasMissing = true;
    else if (!Number.isFinite(value)) hasInfinite = true;
    else if (isLog && value <= 0) hasBelow = true;
  }
  return { hasBelow, hasMissing, hasInfinite };
}

/** The color scale of a statistic with its ends, unit and kind. */
export function ColorBar({ scale, statistic, specials, hasGaps = false, hasDead = false }: ColorBarProps) {
  return (
    <div class="legend">
      {scale !== null && (
        <div class="color-bar">
          <span class="color-bar-strip" style={{ background: gradient(scale.diverging) }} />
          <span class="color-bar-ticks">
            {barTicks(scale).map((tick) => (
              <span key={tick} style={{ left: `${scale.position(tick) * 100}%` }}>
                {formatValue(tick, statistic.unit)}
              </span>
            ))}
          </span>
        </div>
      )}
      {scale !== null && <span>{scaleWords(scale)} scale</span>}
      <SpecialLegend specials={specials} />
      <ExtraLegend hasGaps={hasGaps} hasDead={hasDead} />
    </div>
  );
}

/** Steps without a record, dead units. */
export function ExtraLegend({ hasGaps, hasDead = false }: { readonly hasGaps: boolean; readonly hasDead?: boolean }) {
  return (
    <>
      {hasDead && (
        <span class="legend-item">
          <span class="swatch swatch-dead">{GLYPHS.problem}</span>
          dead
        </span>
      )}
      {hasGaps && (
        <span class="legend-item">
          <span class="swatch swatch-hatch" />
          no record
        </span>
      )}
    </>
  );
}

/** Explains values that are off the scale. */
export function SpecialLegend({ specials }: { readonly specials: SpecialValues }) {
  return (
    <>
      {specials.hasBelow && (
        <span class="legend-item">
          <span class="swatch swatch-zero" />
          zero
        </span>
      )}
      {specials.hasMissing && (
        <span class="legend-item">
          <span class="swatch swatch-missing" />
          no value
        </span>
      )}
      {specials.hasInfinite && (
        <span class="legend-item">
          <span class="swatch swatch-alarm" />
          not finite
        </span>
      )}
    </>
  );
}

const HEALTH_LEGEND: readonly HealthState[] = [
  "problem",
  "warning",
  "note",
  "early_problem",
  "early_warning",
  "early_note",
  "muted",
  "ok",
  "insufficient_data",
  "not_applicable",
  "unobserved",
  "error",
];

const GLYPHED: readonly HealthState[] = ["problem", "warning", "note", "error"];

interface HealthLegendProps {
  readonly palette: Palette;
  /** Only these are explained. */
  readonly states: ReadonlySet<HealthState | null>;
  readonly hasGaps: boolean;
}

export function HealthLegend({ palette, states, hasGaps }: HealthLegendProps) {
  return (
    <div class="legend">
      {HEALTH_LEGEND.filter((state) => states.has(state)).map((state) => (
        <span key={state} class="legend-item">
          <span
            class={`swatch swatch-${state}`}
            style={{ backgroundColor: stateFill(state, palette) }}
            aria-hidden="true"
          >
            {GLYPHED.includes(state) && GLYPHS[state]}
          </span>
          {stateWord(state)}
        </span>
      ))}
      <ExtraLegend hasGaps={hasGaps} />
    </div>
  );
}
