const MIN_LABEL_HEIGHT = 13;

interface RowNamesProps {
  readonly names: readonly string[];
  readonly rowHeight: number;
  readonly selectedRow: number;
  /** Pixels from one name to the next. Rows with an empty name get none. */
  readonly spacing?: number | undefined;
  onSelectRow(row: number): void;
}

/** As many names as fit; the selected row always has its name. */
export function RowNames({ names, rowHeight, selectedRow, spacing = MIN_LABEL_HEIGHT, onSelectRow }: RowNamesProps) {
  const stride = Math.ceil(spacing / rowHeight);
  const isNear = (row: number) => row !== selectedRow && Math.abs(row - selectedRow) < stride;
  return (
    <div class="matrix-names" aria-hidden="true" style={{ height: `${names.length * rowHeight}px` }}>
      {names.map((name, row) => {
        if (name === "") return null;
        if (row !== selectedRow && (row % stride !== 0 || (selectedRow >= 0 && isNear(row)))) return null;
        const style = { top: `${(row + 0.5) * rowHeight}px` };
        return (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the region around it takes the keys
          // biome-ignore lint/a11y/noStaticElementInteractions: a shortcut for the pointer, hidden from others
          <div
            key={row}
            class={row === selectedRow ? "matrix-name is-selected" : "matrix-name"}
            style={style}
            title={name}
            onClick={() => onSelectRow(row)}
          >
            <bdi>{name}</bdi>
          </div>
        );
      })}
    </div>
  );
}
