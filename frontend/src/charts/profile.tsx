import type { ReadonlySignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { formatValue } from "../core/format";
import { lineRuns, type ProfilePoint, profilePoints } from "../core/profile";
import type { ValueScale } from "../core/scale";
import { unreachable } from "../core/severity";
import { moveByKey } from "./keys";
import { barTicks } from "./legend";
import { RowNames } from "./row_names";
import { useWidth } from "./size";

export interface ProfileProps {
  /** Accessible name. */
  readonly name: string;
  readonly rowNames: readonly string[];
  /** One value a row. */
  readonly values: Float32Array;
  /** Null when no value has a place on a scale. */
  readonly scale: ValueScale | null;
  readonly unit: string;
  readonly steps: readonly number[];
  readonly selectedRow: number;
  readonly cursor: ReadonlySignal<number | null>;
  /** Id of the element that tells the value of the row. */
  readonly readoutId: string;
  onSelectRow(row: number): void;
  onPinStep(step: number | null): void;
  onHoverRow(row: number | null): void;
}

const MAX_HEIGHT = 360;
const MAX_ROW_HEIGHT = 20;
/** On both sides, for what stands off the scale. */
const GUTTER = 16;

/** One value a row, the rows from top to bottom: how a figure changes with depth. */
export function Profile(props: ProfileProps) {
  const { rowNames, values, scale, selectedRow } = props;
  const plot = useRef<HTMLDivElement>(null);
  const width = useWidth(plot);
  const rowHeight = Math.min(MAX_ROW_HEIGHT, MAX_HEIGHT / Math.max(1, rowNames.length));
  const height = Math.max(1, rowHeight * rowNames.length);
  const points = profilePoints(values, scale);
  const rowAt = (event: MouseEvent): number | null => {
    const box = plot.current?.getBoundingClientRect();
    if (box === undefined) return null;
    return Math.min(rowNames.length - 1, Math.max(0, Math.floor((event.clientY - box.top) / rowHeight)));
  };
  const onClick = (event: MouseEvent) => {
    const row = rowAt(event);
    if (row !== null) props.onSelectRow(row);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (moveByKey(event, props, props.steps)) event.preventDefault();
  };
  return (
    <div class="matrix matrix-named">
      <div
        class="matrix-body"
        role="application"
        aria-roledescription="profile"
        aria-label={`${props.name}. Arrow keys move between layers and steps.`}
        aria-describedby={props.readoutId}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application region takes keys itself
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <RowNames names={rowNames} rowHeight={rowHeight} selectedRow={selectedRow} onSelectRow={props.onSelectRow} />
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the region around it takes the keys */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the region around it takes the keys */}
        <div
          ref={plot}
          class="matrix-plot profile-plot"
          style={{ height: `${height}px` }}
          onPointerMove={(event) => props.onHoverRow(rowAt(event))}
          onPointerLeave={() => props.onHoverRow(null)}
          onClick={onClick}
        >
          {width > 0 && <Drawing points={points} scale={scale} width={width} rowHeight={rowHeight} />}
          {selectedRow >= 0 && (
            <div
              class="matrix-row-mark"
              style={{ top: `${selectedRow * rowHeight}px`, height: `${Math.max(2, rowHeight)}px` }}
            />
          )}
        </div>
      </div>
      {scale !== null && <ValueAxis scale={scale} unit={props.unit} />}
    </div>
  );
}

interface DrawingProps {
  readonly points: readonly ProfilePoint[];
  readonly scale: ValueScale | null;
  readonly width: number;
  readonly rowHeight: number;
}

function Drawing({ points, scale, width, rowHeight }: DrawingProps) {
  const x = (position: number) => GUTTER + position * (width - 2 * GUTTER);
  const y = (row: number) => (row + 0.5) * rowHeight;
  const height = points.length * rowHeight;
  const radius = Math.min(3.5, Math.max(1, rowHeight / 3));
  return (
    <>
      <svg class="profile" width={width} height={height} aria-hidden="true">
        {scale !== null &&
          barTicks(scale).map((tick) => (
            <line
              key={tick}
              class="profile-grid"
              x1={x(scale.position(tick))}
              x2={x(scale.position(tick))}
              y2={height}
            />
          ))}
        {lineRuns(points).map((run) => (
          <polyline
            key={run[0]?.row}
            class="profile-line"
            points={run.map(({ row, position }) => `${x(position).toFixed(1)},${y(row).toFixed(1)}`).join(" ")}
          />
        ))}
        {lineRuns(points)
          .flat()
          .map(({ row, position }) => (
            <circle key={row} class="profile-point" cx={x(position)} cy={y(row)} r={radius} />
          ))}
      </svg>
      {points.map((point, row) => (
        <OffScale key={row} point={point} top={y(row)} rowHeight={rowHeight} />
      ))}
    </>
  );
}

interface OffScaleProps {
  readonly point: ProfilePoint;
  readonly top: number;
  readonly rowHeight: number;
}

/** What has no place on the scale, marked as the legend tells: at the left what is too small, at the right what is too large. */
function OffScale({ point, top, rowHeight }: OffScaleProps) {
  const height = Math.min(10, Math.max(2, rowHeight - 2));
  const style = { top: `${top - height / 2}px`, height: `${height}px` };
  switch (point.kind) {
    case "value":
      return null;
    case "zero":
      return <span class="swatch swatch-zero profile-mark" style={style} />;
    case "missing":
      return <span class="swatch swatch-hatch profile-mark" style={style} />;
    case "infinite":
      return <span class={`swatch swatch-alarm profile-mark ${point.isNegative ? "" : "is-high"}`} style={style} />;
    default:
      return unreachable(point);
  }
}

function ValueAxis({ scale, unit }: { readonly scale: ValueScale; readonly unit: string }) {
  return (
    <div class="matrix-axis" aria-hidden="true">
      <span />
      <div class="matrix-ticks profile-ticks">
        {barTicks(scale).map((tick, index, all) => (
          <span
            key={tick}
            class={index === all.length - 1 ? "is-at-end" : undefined}
            style={{ left: `${scale.position(tick) * 100}%` }}
          >
            {formatValue(tick, unit)}
          </span>
        ))}
      </div>
    </div>
  );
}
