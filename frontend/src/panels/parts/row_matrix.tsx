import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { LookOf } from "../../charts/look";
import { Matrix } from "../../charts/matrix";
import { PALETTES } from "../../core/color";
import type { Reduce } from "../../core/raster";
import type { Store } from "../../state/store";

export type RowMatrixStore = Pick<Store, "theme" | "view">;

interface RowMatrixProps {
  readonly store: RowMatrixStore;
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
  /** Shown to the right of the picture. */
  readonly aside?: ComponentChildren;
  /** Describes a row, -1 for none. */
  readout(row: number): ComponentChildren;
}

/** Rows x steps with a row selection of its own and a readout below. */
export function RowMatrix({ store, id, aside, readout, ...picture }: RowMatrixProps) {
  const selectedRow = useSignal(-1);
  const hoveredRow = useSignal<number | null>(null);
  const readoutId = `${id}-readout`;
  const matrix = (
    <Matrix
      {...picture}
      palette={PALETTES[store.theme.value]}
      readoutId={readoutId}
      selectedRow={selectedRow.value}
      hoveredRow={hoveredRow.value}
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
      {aside === undefined ? (
        matrix
      ) : (
        <div class="with-ridge">
          {matrix}
          {aside}
        </div>
      )}
      <p class="readout" id={readoutId} aria-live="polite">
        {readout(hoveredRow.value ?? selectedRow.value)}
      </p>
    </>
  );
}
