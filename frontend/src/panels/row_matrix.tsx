import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { LookOf } from "../charts/look";
import { Matrix } from "../charts/matrix";
import { PALETTES } from "../core/colour";
import type { Reduce } from "../core/raster";
import type { Store } from "../state/store";

interface RowMatrixProps {
  readonly store: Store;
  readonly id: string;
  /** Accessible name. */
  readonly name: string;
  readonly rowNames: readonly string[];
  readonly steps: readonly number[];
  /** `[rows, steps]` in row-major order. */
  readonly values: Float32Array;
  readonly lookOf: LookOf;
  readonly reduce: Reduce;
  readonly maxHeight: number;
  readonly maxRowHeight: number;
  readonly nameSpacing?: number;
  /** What stands beside the picture. */
  readonly beside?: ComponentChildren;
  /** What is known of a row, -1 for none. */
  readout(row: number): ComponentChildren;
}

/** Rows of the chosen layer x steps, with a row of its own to point at and what is known of it below. */
export function RowMatrix({ store, id, beside, readout, ...picture }: RowMatrixProps) {
  const selectedRow = useSignal(-1);
  const hoveredRow = useSignal<number | null>(null);
  const readoutId = `${id}-readout`;
  const matrix = (
    <Matrix
      {...picture}
      palette={PALETTES[store.theme.value]}
      readoutId={readoutId}
      selectedRow={selectedRow.value}
      view={store.view.value}
      onSelectRow={(row) => {
        selectedRow.value = row;
      }}
      onHoverRow={(row) => {
        hoveredRow.value = row;
      }}
    />
  );
  return (
    <>
      {beside === undefined ? (
        matrix
      ) : (
        <div class="with-ridge">
          {matrix}
          {beside}
        </div>
      )}
      <p class="readout" id={readoutId} aria-live="polite">
        {readout(hoveredRow.value ?? selectedRow.value)}
      </p>
    </>
  );
}
