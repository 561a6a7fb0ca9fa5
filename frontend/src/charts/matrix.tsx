import type { ReadonlySignal } from "@preact/signals";
import { useComputed } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Palette } from "../core/colour";
import { formatCount } from "../core/format";
import type { Reduce } from "../core/raster";
import { type StepAxis, stepAxis } from "../core/scale";
import { moveByKey } from "./keys";
import type { LookOf } from "./look";
import { paintMatrix } from "./paint";
import { RowNames } from "./row_names";
import { useWidth } from "./size";

export interface MatrixProps {
  /** Accessible name. */
  readonly name: string;
  readonly rowNames: readonly string[];
  readonly steps: readonly number[];
  /** `[rows, steps]` in row-major order. */
  readonly values: Float32Array;
  readonly lookOf: LookOf;
  readonly reduce: Reduce;
  readonly palette: Palette;
  /** Id of the element that tells the value under the cursor. */
  readonly readoutId: string;
  readonly maxHeight: number;
  readonly maxRowHeight: number;
  /** Whether rows are named beside the picture. */
  readonly showRowNames: boolean;
  /** In pixels, from one row's name to the next; as close as they can be read when left out. */
  readonly nameSpacing?: number;
  readonly selectedRow: number;
  readonly cursor: ReadonlySignal<number | null>;
  onSelectRow(row: number): void;
  onPinStep(step: number | null): void;
  onHover(row: number | null, step: number | null): void;
}

/** Rows x steps as one picture. Pointer: hover reads, click selects a row and pins a step. Arrow keys do the same. */
export function Matrix(props: MatrixProps) {
  const { rowNames, steps, values, lookOf, reduce, palette, cursor } = props;
  const plot = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(plot);
  const rowHeight = Math.min(props.maxRowHeight, props.maxHeight / Math.max(1, rowNames.length));
  const height = Math.max(rowHeight * rowNames.length, 1);
  const axis = useMemo(() => stepAxis(steps), [steps]);

  useEffect(() => {
    if (canvas.current === null || width === 0) return;
    const data = { rowCount: rowNames.length, steps, values, axis, reduce };
    paintMatrix(canvas.current, data, lookOf, { width, height, pixelRatio: window.devicePixelRatio });
  }, [rowNames, steps, values, axis, reduce, lookOf, width, height, palette]);

  const cellAt = (event: PointerEvent | MouseEvent): { row: number; step: number } | null => {
    const box = plot.current?.getBoundingClientRect();
    if (box === undefined || box.width === 0) return null;
    const row = Math.min(rowNames.length - 1, Math.max(0, Math.floor((event.clientY - box.top) / rowHeight)));
    const step = steps[axis.indexAt((event.clientX - box.left) / box.width)];
    return step === undefined ? null : { row, step };
  };
  const onPointerMove = (event: PointerEvent) => {
    const cell = cellAt(event);
    props.onHover(cell?.row ?? null, cell?.step ?? null);
  };
  const onClick = (event: MouseEvent) => {
    const cell = cellAt(event);
    if (cell === null) return;
    props.onSelectRow(cell.row);
    props.onPinStep(cell.step);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (moveByKey(event, props, steps)) event.preventDefault();
  };

  return (
    <div class={props.showRowNames ? "matrix matrix-named" : "matrix"}>
      <div
        class="matrix-body"
        role="application"
        aria-roledescription="matrix"
        aria-label={`${props.name}. Arrow keys move between rows and steps.`}
        aria-describedby={props.readoutId}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application region takes keys itself
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        {props.showRowNames && (
          <RowNames
            names={rowNames}
            rowHeight={rowHeight}
            selectedRow={props.selectedRow}
            spacing={props.nameSpacing}
            onSelectRow={props.onSelectRow}
          />
        )}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the region around it takes the keys */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the region around it takes the keys */}
        <div
          ref={plot}
          class="matrix-plot"
          style={{ height: `${height}px` }}
          onPointerMove={onPointerMove}
          onPointerLeave={() => props.onHover(null, null)}
          onClick={onClick}
        >
          <canvas ref={canvas} style={{ height: `${height}px` }} />
          {props.selectedRow >= 0 && (
            <div
              class="matrix-row-mark"
              style={{ top: `${props.selectedRow * rowHeight}px`, height: `${Math.max(2, rowHeight)}px` }}
            />
          )}
          <StepMark axis={axis} cursor={cursor} />
        </div>
      </div>
      <Axis axis={axis} steps={steps} />
    </div>
  );
}

/** The line at the step that all panels mark. */
export function StepMark({
  axis,
  cursor,
}: {
  readonly axis: StepAxis;
  readonly cursor: ReadonlySignal<number | null>;
}) {
  const style = useComputed(() => {
    const step = cursor.value;
    if (step === null || step < axis.first) return "display: none";
    return `left: ${(axis.position(step) * 100).toFixed(3)}%`;
  });
  return <div class="step-mark" style={style} />;
}

/** Where a centred label would be cut off. */
const NEAR_END = 0.96;

function Axis({ axis, steps }: { readonly axis: StepAxis; readonly steps: readonly number[] }) {
  const ticks = steps.length <= 1 ? steps : axis.ticks;
  return (
    <div class="matrix-axis" aria-hidden="true">
      <span class="matrix-axis-title">Step</span>
      <div class="matrix-ticks">
        {ticks.map((tick) => {
          const position = axis.position(tick);
          return (
            <span
              key={tick}
              class={position > NEAR_END ? "is-at-end" : undefined}
              style={{ left: `${position * 100}%` }}
            >
              {formatCount(tick)}
            </span>
          );
        })}
      </div>
    </div>
  );
}
