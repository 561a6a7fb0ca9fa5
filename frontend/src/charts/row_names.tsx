import type { RefObject } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { endOfName } from "../core/rows";
import { useWidth } from "./size";

const MIN_LABEL_HEIGHT = 13;
const FEWEST_CHARACTERS = 6;
/** Pixels between a name and the plot. */
const SPACE = 8;

type Shorten = (name: string, isBold: boolean) => string;

/** Takes a name and returns as much of its end as fits into the column, in the column's font. */
function useShorten(column: RefObject<HTMLElement | null>): Shorten {
  const width = useWidth(column);
  return useMemo(() => {
    const context = document.createElement("canvas").getContext("2d");
    const family = column.current === null ? "" : getComputedStyle(column.current).fontFamily;
    const known = new Map<string, string>();
    const shortened: Shorten = (name, isBold) => {
      if (context === null || family === "") return endOfName(name, FEWEST_CHARACTERS);
      context.font = `${isBold ? 600 : 400} 12px ${family}`;
      const fits = (characters: number) => context.measureText(endOfName(name, characters)).width <= width - SPACE;
      let characters = name.length;
      while (characters > FEWEST_CHARACTERS && !fits(characters)) characters -= 1;
      return endOfName(name, characters);
    };
    return (name, isBold) => {
      const key = `${isBold} ${name}`;
      const found = known.get(key) ?? shortened(name, isBold);
      known.set(key, found);
      return found;
    };
  }, [width]);
}

interface RowNamesProps {
  readonly names: readonly string[];
  readonly rowHeight: number;
  readonly selectedRow: number;
  /** The row under the pointer; null for none. */
  readonly hoveredRow?: number | null | undefined;
  /** Pixels from one name to the next. Rows with an empty name get none. */
  readonly spacing?: number | undefined;
  onSelectRow(row: number): void;
}

/** As many names as fit. The selected row and the row under the pointer always have theirs, so that every row has one. */
export function RowNames(props: RowNamesProps) {
  const { names, rowHeight, selectedRow, hoveredRow = null, spacing = MIN_LABEL_HEIGHT, onSelectRow } = props;
  const column = useRef<HTMLDivElement>(null);
  const shorten = useShorten(column);
  const stride = Math.ceil(spacing / rowHeight);
  const wanted = [hoveredRow, selectedRow].filter((row): row is number => row !== null && row >= 0);
  const isShown = (row: number) =>
    wanted[0] === row ||
    (wanted.includes(row) && Math.abs(row - (wanted[0] ?? row)) >= stride) ||
    (row % stride === 0 && wanted.every((other) => Math.abs(row - other) >= stride));
  return (
    <div ref={column} class="matrix-names" aria-hidden="true" style={{ height: `${names.length * rowHeight}px` }}>
      {names.map((name, row) => {
        if (name === "" || !isShown(row)) return null;
        const kind = row === selectedRow ? " is-selected" : row === hoveredRow ? " is-hovered" : "";
        return (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the region around it takes the keys
          // biome-ignore lint/a11y/noStaticElementInteractions: a shortcut for the pointer, hidden from others
          <div
            key={row}
            class={`matrix-name${kind}`}
            style={{ top: `${(row + 0.5) * rowHeight}px` }}
            title={name}
            onClick={() => onSelectRow(row)}
          >
            <bdi>{shorten(name, row === selectedRow)}</bdi>
          </div>
        );
      })}
    </div>
  );
}
