import { computed, type ReadonlySignal } from "@preact/signals";

import { useEffect, useMemo, useRef } from "preact/hooks";
import type { StepAxis } from "../core/axis";
import type { Palette } from "../core/color";
import type { Reduce } from "../core/raster";
import type { Movable } from "./keys";
import { gapLook, type LookOf } from "./look";
import { paintMatrix } from "./paint";
import { followPointer, type PointerTarget } from "./pointer";
import { Region, RowMark, rowUnder } from "./region";
import { useWidth } from "./size";
import { useStepAxis } from "./step_axis";

export interface MatrixProps extends Movable {
  /** Accessible name. */
  readonly name: string;
  /** `[rows, steps]` in row-major order. */
  readonly values: Float32Array;
  readonly lookOf: LookOf;
  readonly reduce: Reduce;
  readonly palette: Palette;
  /** Id of the element that shows the value under the cursor. */
  readonly readoutId: string;
  readonly maxHeight: number;
  readonly maxRowHeight: number;
  /** Pixels from one row name to the next; as close as legible by default. */
  readonly nameSpacing?: number | undefined;
  /** The row under the pointer; null for none. */
  readonly hoveredRow: number | null;
  onHoverRow(row: number | null): void;
}

/** Rows x steps as one picture. Pointer: hover reads, click selects, drag zooms. Keys do the same. */
export function Matrix(props: MatrixProps) {
  const { rowNames, steps, values, lookOf, reduce, palette, view } = props;
  const plot = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(plot);
  const rowHeight = Math.min(props.maxRowHeight, props.maxHeight / Math.max(1, rowNames.length));
  const height = Math.max(rowHeight * rowNames.length, 1);
  const axis = useStepAxis(steps, view);

  useEffect(() => {
    if (canvas.current === null || width === 0) return;
    const data = { rowCount: rowNames.length, stepCount: steps.length, values, axis, reduce };
    paintMatrix(canvas.current, data, lookOf, gapLook(palette), { width, height, pixelRatio: window.devicePixelRatio });
  }, [rowNames, steps, values, axis, reduce, lookOf, width, height, palette]);

  const rowAt = (event: MouseEvent) => rowUnder(event, plot.current, rowHeight, rowNames.length);
  const target = useRef<PointerTarget | null>(null);
  target.current = {
    axis,
    steps,
    view,
    onPoint: (event) => props.onHoverRow(event === null ? null : rowAt(event)),
    onPick: (event) => {
      const row = rowAt(event);
      if (row !== null) props.onSelectRow(row);
    },
  };
  useEffect(() => {
    const element = plot.current;
    return element === null ? undefined : followPointer(element, () => target.current as PointerTarget);
  }, []);

  return (
    <div class="matrix">
      <Region
        kind="matrix"
        name={props.name}
        rows="rows"
        rowNames={rowNames}
        steps={steps}
        rowHeight={rowHeight}
        nameSpacing={props.nameSpacing}
        selectedRow={props.selectedRow}
        hoveredRow={props.hoveredRow}
        view={view}
        readoutId={props.readoutId}
        onSelectRow={props.onSelectRow}
      >
        <div ref={plot} class="matrix-plot" style={{ height: `${height}px` }}>
          <canvas ref={canvas} style={{ height: `${height}px` }} />
          <RowMark row={props.selectedRow} rowHeight={rowHeight} />
          <StepMark axis={axis} cursor={view.cursor} />
        </div>
      </Region>
      <Axis axis={axis} width={width} />
    </div>
  );
}

interface StepMarkProps {
  readonly axis: StepAxis;
  readonly cursor: ReadonlySignal<number | null>;
}

/** The line at the step that all panels mark. */
function StepMark({ axis, cursor }: StepMarkProps) {
  const style = useMemo(
    () =>
      computed(() => {
        const step = cursor.value;
        if (step === null || !axis.shows(step)) return "display: none";
        return `left: ${(axis.position(step) * 100).toFixed(3)}%`;
      }),
    [axis, cursor],
  );
  return <div class="step-mark" style={style} />;
}

/** Position beyond which a centered label would be clipped. */
const NEAR_END = 0.96;
/** Pixels for one label. */
const LABEL_SPACE = 52;

function Axis({ axis, width }: { readonly axis: StepAxis; readonly width: number }) {
  const stride = Math.max(1, Math.ceil((axis.ticks.length * LABEL_SPACE) / Math.max(1, width)));
  return (
    <div class="matrix-axis" aria-hidden="true">
      <span class="matrix-axis-title">{axis.title}</span>
      <div class="matrix-ticks">
        {axis.ticks
          .filter((_, index) => index % stride === 0)
          .map(({ position, label }) => (
            <span
              key={label}
              class={position > NEAR_END ? "is-at-end" : position < 1 - NEAR_END ? "is-at-start" : undefined}
              style={{ left: `${position * 100}%` }}
            >
              {label}
            </span>
          ))}
      </div>
    </div>
  );
}
