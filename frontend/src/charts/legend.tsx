import { mapColour, type Palette, stateFill } from "../core/colour";
import { formatValue } from "../core/format";
import { scaleName, type ValueScale } from "../core/scale";
import { type HealthState, stateWord } from "../core/severity";
import type { Statistic } from "../core/types";
import { GLYPHS } from "./look";

const STOPS = 24;

function gradient(diverging: boolean): string {
  const stops = Array.from({ length: STOPS + 1 }, (_, index) => {
    const [red, green, blue] = mapColour(index / STOPS, diverging);
    return `rgb(${red}, ${green}, ${blue})`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

function scaleWords({ kind, diverging }: ValueScale): string {
  return kind === "linear" && diverging ? "linear, around zero" : scaleName(kind);
}

/** Room an end's label needs, as a share of the bar. */
const END_LABEL = 0.24;

/** Both ends, and between them what has room. */
export function barTicks(scale: ValueScale): number[] {
  const inner = scale.ticks.filter((tick) => {
    const position = scale.position(tick);
    return position > END_LABEL && position < 1 - END_LABEL;
  });
  return [scale.low, ...inner.slice(0, 3), scale.high];
}

interface ColourBarProps {
  readonly scale: ValueScale | null;
  readonly statistic: Statistic;
  /** Whether any value is zero or less on a logarithmic scale, missing, or infinite. */
  readonly specials: SpecialValues;
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

/** The colours of a statistic with lowest and highest value, unit and kind of scale. */
export function ColourBar({ scale, statistic, specials }: ColourBarProps) {
  return (
    <div class="legend">
      {scale !== null && (
        <div class="colour-bar">
          <span class="colour-bar-strip" style={{ background: gradient(scale.diverging) }} />
          <span class="colour-bar-ticks">
            {barTicks(scale).map((tick) => (
              <span key={tick} style={{ left: `${scale.position(tick) * 100}%` }}>
                {formatValue(tick, statistic.unit)}
              </span>
            ))}
          </span>
        </div>
      )}
      {scale !== null && <span>{scaleWords(scale)}</span>}
      <SpecialLegend specials={specials} />
    </div>
  );
}

/** What stands for values without a place on the scale. */
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
          <span class="swatch swatch-hatch" />
          no value
        </span>
      )}
      {specials.hasInfinite && (
        <span class="legend-item">
          <span class="swatch swatch-alarm" />
          infinite
        </span>
      )}
    </>
  );
}

const HEALTH_LEGEND: readonly HealthState[] = [
  "problem",
  "warning",
  "note",
  "ok",
  "insufficient_data",
  "not_applicable",
  "error",
];

export function HealthLegend({ palette }: { readonly palette: Palette }) {
  return (
    <div class="legend">
      {HEALTH_LEGEND.map((state) => (
        <span key={state} class="legend-item">
          <span
            class={`swatch swatch-${state}`}
            style={{ backgroundColor: stateFill(state, palette) }}
            aria-hidden="true"
          >
            {state === "ok" || state === "not_applicable" || state === "insufficient_data" ? "" : GLYPHS[state]}
          </span>
          {stateWord(state)}
        </span>
      ))}
    </div>
  );
}
