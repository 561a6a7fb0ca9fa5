import { useRef } from "preact/hooks";
import { formatValue } from "../core/format";
import { lineRuns, type ProfilePoint, profilePoints } from "../core/profile";
import type { ValueScale } from "../core/scale";
import { unreachable } from "../core/unreachable";
import type { Movable } from "./keys";
import { barTicks } from "./legend";
import { Region, RowMark, rowUnder } from "./region";
import { useWidth } from "./size";

/** The values of one run, one per row. */
export interface ProfileLine {
  readonly name: string;
  readonly values: Float32Array;
  readonly color: string;
  /** Pixels on and off, alternating; empty for a solid line. */
  readonly dash: readonly number[];
}

export interface ProfileProps extends Movable {
  /** Accessible name. */
  readonly name: string;
  /** The first is drawn on top. */
  readonly lines: readonly ProfileLine[];
  /** Null if no value fits a scale. */
  readonly scale: ValueScale | null;
  readonly unit: string;
  /** Id of the element that shows the value of the row. */
  readonly readoutId: string;
  /** The row under the pointer; null for none. */
  readonly hoveredRow: number | null;
  onHoverRow(row: number | null): void;
}

const MAX_HEIGHT = 360;
const MAX_ROW_HEIGHT = 20;
/** Space on both sides for values off the scale. */
const GUTTER = 16;

/** One value per row, from top to bottom: how a statistic changes with depth. */
export function Profile(props: ProfileProps) {
  const { rowNames, scale, selectedRow } = props;
  const plot = useRef<HTMLDivElement>(null);
  const width = useWidth(plot);
  const rowHeight = Math.min(MAX_ROW_HEIGHT, MAX_HEIGHT / Math.max(1, rowNames.length));
  const height = Math.max(1, rowHeight * rowNames.length);
  const rowAt = (event: MouseEvent) => rowUnder(event, plot.current, rowHeight, rowNames.length);
  const select = (event: MouseEvent) => {
    const row = rowAt(event);
    if (row !== null) props.onSelectRow(row);
  };
  return (
    <div class="matrix">
      <Region
        kind="profile"
        name={props.name}
        rows="layers"
        rowNames={rowNames}
        steps={props.steps}
        rowHeight={rowHeight}
        selectedRow={selectedRow}
        hoveredRow={props.hoveredRow}
        view={props.view}
        readoutId={props.readoutId}
        onSelectRow={props.onSelectRow}
      >
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the region around it takes the keys */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the region around it takes the keys */}
        <div
          ref={plot}
          class="matrix-plot profile-plot"
          style={{ height: `${height}px` }}
          onPointerMove={(event) => props.onHoverRow(rowAt(event))}
          onPointerLeave={() => props.onHoverRow(null)}
          onClick={select}
        >
          {width > 0 && (
            <svg class="profile" width={width} height={height} aria-hidden="true">
              {scale !== null && <Grid scale={scale} width={width} height={height} />}
              {[...props.lines].reverse().map((line) => (
                <Line key={line.name} line={line} scale={scale} width={width} rowHeight={rowHeight} />
              ))}
            </svg>
          )}
          <RowMark row={selectedRow} rowHeight={rowHeight} />
        </div>
      </Region>
      {scale !== null && <ValueAxis scale={scale} unit={props.unit} width={width} />}
    </div>
  );
}

const placeOf = (position: number, width: number) => GUTTER + position * (width - 2 * GUTTER);

function Grid({
  scale,
  width,
  height,
}: {
  readonly scale: ValueScale;
  readonly width: number;
  readonly height: number;
}) {
  const lines = barTicks(scale).map((tick) => `M${placeOf(scale.position(tick), width).toFixed(1)} 0v${height}`);
  return <path class="profile-grid" d={lines.join("")} />;
}

interface LineProps {
  readonly line: ProfileLine;
  readonly scale: ValueScale | null;
  readonly width: number;
  readonly rowHeight: number;
}

/** A constant number of elements, because the chart is redrawn as the step cursor moves. */
function Line({ line, scale, width, rowHeight }: LineProps) {
  const points = profilePoints(line.values, scale);
  const at = (row: number, position: number) =>
    `${placeOf(position, width).toFixed(1)} ${((row + 0.5) * rowHeight).toFixed(1)}`;
  const runs = lineRuns(points);
  const diameter = Math.min(7, Math.max(2, rowHeight / 1.5));
  const size = Math.min(9, Math.max(2, rowHeight - 2));
  const marks = (kind: ProfilePoint["kind"]) =>
    points.map((point, row) => (point.kind === kind ? markPath(point, row, width, rowHeight, size) : "")).join("");
  return (
    <g data-run={line.name} stroke={line.color}>
      <path
        class="profile-line"
        stroke-dasharray={line.dash.join(" ")}
        d={runs.map((run) => `M${run.map(({ row, position }) => at(row, position)).join("L")}`).join("")}
      />
      <path
        class="profile-points"
        stroke-width={diameter}
        d={runs.flatMap((run) => run.map(({ row, position }) => `M${at(row, position)}h0`)).join("")}
      />
      <path class="profile-zero" d={marks("zero")} />
      <path class="profile-infinite" d={marks("infinite")} />
      <path class="profile-missing" d={marks("missing")} />
    </g>
  );
}

/** Marks values off the scale: on the left those too small, on the right those too large. */
function markPath(point: ProfilePoint, row: number, width: number, rowHeight: number, size: number): string {
  const top = (row + 0.5) * rowHeight - size / 2;
  const square = (left: number) => `M${left} ${top.toFixed(1)}h${size}v${size}h${-size}z`;
  switch (point.kind) {
    case "value":
      return "";
    case "zero":
      return square(3);
    case "missing":
      return `${square(3)}m0 ${size}l${size} ${-size}`;
    case "infinite":
      return square(point.isNegative ? 3 : width - 3 - size);
    default:
      return unreachable(point);
  }
}

/** Pixels for one label. */
const LABEL_SPACE = 62;

interface ValueAxisProps {
  readonly scale: ValueScale;
  readonly unit: string;
  readonly width: number;
}

/** Both ends, and the ticks between them that fit. */
function ValueAxis({ scale, unit, width }: ValueAxisProps) {
  const ticks = barTicks(scale);
  const shown =
    ticks.length * LABEL_SPACE > width ? ticks.filter((_, index) => index % (ticks.length - 1) === 0) : ticks;
  return (
    <div class="matrix-axis" aria-hidden="true">
      <span />
      <div class="matrix-ticks profile-ticks">
        {shown.map((tick, index, all) => (
          <span
            key={tick}
            class={index === all.length - 1 ? "is-at-end" : index === 0 ? "is-at-start" : undefined}
            style={{ left: `${scale.position(tick) * 100}%` }}
          >
            {formatValue(tick, unit)}
          </span>
        ))}
      </div>
    </div>
  );
}
