interface RidgeProps {
  /** One share a row, the first row at the top; NaN counts as none. */
  readonly shares: Float32Array;
  /** The same of another step, drawn as an outline; null draws none. */
  readonly reference: Float32Array | null;
  readonly height: number;
}

const WIDTH = 100;

/** One step of a rows x steps picture, as a ridge beside its rows. The numbers are in the table. */
export function Ridge({ shares, reference, height }: RidgeProps) {
  const largest = Math.max(1e-9, ...known(shares), ...known(reference ?? new Float32Array()));
  return (
    <svg class="ridge" viewBox={`0 0 ${WIDTH} ${height}`} preserveAspectRatio="none" height={height} aria-hidden="true">
      <path class="ridge-now" d={`M0 0${outline(shares, largest, height)}L0 ${height}z`} />
      {reference !== null && <path class="ridge-reference" d={`M0 0${outline(reference, largest, height)}`} />}
    </svg>
  );
}

const known = (shares: Float32Array) => [...shares].filter((share) => share > 0);

function outline(shares: Float32Array, largest: number, height: number): string {
  const rowHeight = height / Math.max(1, shares.length);
  return [...shares]
    .map((share, row) => `L${(((share || 0) / largest) * WIDTH).toFixed(2)} ${((row + 0.5) * rowHeight).toFixed(1)}`)
    .join("");
}
