import { formatCount, formatValue } from "../core/format";
import type { ScaleKind } from "../core/types";

interface EvidenceProps {
  readonly title: string;
  readonly unit: string;
  readonly scale: ScaleKind;
  readonly steps: readonly number[];
  readonly values: readonly number[];
  /** Null draws no line. */
  readonly threshold: number | null;
  /** The step since which the finding holds. */
  readonly since: number;
}

const WIDTH = 360;
const HEIGHT = 120;
const TOP = 8;
const BOTTOM = 100;

/** One quantity over the steps with its threshold. The table of the layer's metrics holds the numbers. */
export function EvidenceChart(props: EvidenceProps) {
  const { title, unit, steps, values, threshold, since } = props;
  const y = vertical(props);
  const first = steps[0] ?? 0;
  const last = steps.at(-1) ?? first;
  const x = (step: number) => ((step - first) / Math.max(1, last - first)) * WIDTH;
  const latest = values.findLast((value) => Number.isFinite(value));
  const words = [
    `${title} from step ${formatCount(first)} to ${formatCount(last)}`,
    ...(latest === undefined ? [] : [`last ${formatValue(latest, unit)}`]),
    ...(threshold === null ? [] : [`threshold ${formatValue(threshold, unit)}`]),
    `finding since step ${formatCount(since)}`,
  ];
  return (
    <figure class="evidence">
      <figcaption>
        {title}
        {latest !== undefined && <b> {formatValue(latest, unit)}</b>}
      </figcaption>
      <div class="evidence-plot">
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={words.join(", ")}>
          <rect class="evidence-since" x={x(since)} width={Math.max(0, WIDTH - x(since))} y={0} height={HEIGHT} />
          {threshold !== null && <path class="evidence-threshold" d={`M0 ${y(threshold)}H${WIDTH}`} />}
          <path class="evidence-line" d={linePath(steps.map(x), values, y)} />
        </svg>
        {threshold !== null && (
          <span class="evidence-label" style={{ top: `${(y(threshold) / HEIGHT) * 100}%` }}>
            threshold {formatValue(threshold, unit)}
          </span>
        )}
      </div>
      <p class="evidence-axis" aria-hidden="true">
        <span>{formatCount(first)}</span>
        <span>since step {formatCount(since)}</span>
        <span>{formatCount(last)}</span>
      </p>
    </figure>
  );
}

/** Position of a value; zero and less are at the bottom of a logarithmic axis. */
function vertical({ scale, values, threshold }: EvidenceProps): (value: number) => number {
  const known = [...values, ...(threshold === null ? [] : [threshold])].filter((value) => Number.isFinite(value));
  const isLog = scale === "log";
  const shown = isLog ? known.filter((value) => value > 0).map(Math.log10) : known;
  const low = isLog ? Math.min(...shown) : Math.min(0, ...shown);
  const high = Math.max(...shown);
  const span = high - low || 1;
  return (value) => {
    const position = isLog ? Math.log10(value) : value;
    if (!(position > low)) return BOTTOM;
    return BOTTOM - ((Math.min(position, high) - low) / span) * (BOTTOM - TOP);
  };
}

/** Not drawn where a value is missing; infinity is at the top. */
function linePath(positions: readonly number[], values: readonly number[], y: (value: number) => number): string {
  let path = "";
  let isOpen = false;
  positions.forEach((position, index) => {
    const value = values[index] ?? Number.NaN;
    if (!Number.isNaN(value)) path += `${isOpen ? "L" : "M"}${position.toFixed(1)} ${y(value).toFixed(1)}`;
    // A single value between two gaps still shows.
    if (!Number.isNaN(value) && Number.isNaN(values[index + 1] ?? Number.NaN)) path += "h1";
    isOpen = !Number.isNaN(value);
  });
  return path;
}
