import { useRef } from "preact/hooks";
import { endOfName } from "../core/rows";
import { useWidth } from "./size";

const MIN_LABEL_HEIGHT = 13;
/** Width of a character in pixels, on average. */
const CHARACTER = 6.3;
const FEWEST_CHARACTERS = 6;

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
  const characters = Math.max(FEWEST_CHARACTERS, Math.floor(useWidth(column) / CHARACTER) - 1);
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
            <bdi>{endOfName(name, characters)}</bdi>
          </div>
        );
      })}
    </div>
  );
}
