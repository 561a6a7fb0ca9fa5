import type { ComponentChildren } from "preact";
import { type Movable, moveByKey } from "./keys";
import { RowNames } from "./row_names";

interface RegionProps extends Movable {
  /** Kind of the chart, such as "matrix". */
  readonly kind: string;
  /** Accessible name. */
  readonly name: string;
  /** Plural noun for the rows. */
  readonly rows: string;
  readonly rowHeight: number;
  /** The row under the pointer; null for none. */
  readonly hoveredRow?: number | null | undefined;
  /** Pixels from one row name to the next; as close as legible by default. */
  readonly nameSpacing?: number | undefined;
  /** Id of the element that shows the value under the cursor. */
  readonly readoutId: string;
  /** The plot, next to the row names. */
  readonly children: ComponentChildren;
}

/** A chart with named rows that handles the arrow keys. */
export function Region(props: RegionProps) {
  return (
    <div
      class="matrix-body"
      role="application"
      aria-roledescription={props.kind}
      aria-label={`${props.name}. Arrow keys move between ${props.rows} and steps, plus and minus zoom.`}
      aria-describedby={props.readoutId}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application region takes keys itself
      tabIndex={0}
      onKeyDown={(event) => {
        if (moveByKey(event, props)) event.preventDefault();
      }}
    >
      <RowNames
        names={props.rowNames}
        rowHeight={props.rowHeight}
        selectedRow={props.selectedRow}
        hoveredRow={props.hoveredRow}
        spacing={props.nameSpacing}
        onSelectRow={props.onSelectRow}
      />
      {props.children}
    </div>
  );
}

interface RowMarkProps {
  readonly row: number;
  readonly rowHeight: number;
}

export function RowMark({ row, rowHeight }: RowMarkProps) {
  if (row < 0) return null;
  return <div class="matrix-row-mark" style={{ top: `${row * rowHeight}px`, height: `${Math.max(2, rowHeight)}px` }} />;
}

/** The row under the pointer. */
export function rowUnder(event: MouseEvent, plot: HTMLElement | null, rowHeight: number, count: number): number | null {
  if (plot === null || count === 0) return null;
  const row = Math.floor((event.clientY - plot.getBoundingClientRect().top) / rowHeight);
  return Math.min(count - 1, Math.max(0, row));
}
