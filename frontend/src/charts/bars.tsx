interface BarsProps {
  /** One share a row, the first row at the top; NaN draws nothing. */
  readonly shares: Float32Array;
  readonly height: number;
}

const WIDTH = 100;

/** One step of a rows x steps picture, as bars beside its rows. The numbers are in the table. */
export function Bars({ shares, height }: BarsProps) {
  const rowHeight = height / Math.max(1, shares.length);
  const largest = shares.reduce((most, share) => Math.max(most, share || 0), 0);
  return (
    <svg class="bars" viewBox={`0 0 ${WIDTH} ${height}`} preserveAspectRatio="none" height={height} aria-hidden="true">
      {[...shares].map(
        (share, row) =>
          share > 0 && (
            <rect key={row} y={row * rowHeight} width={(share / largest) * WIDTH} height={Math.max(1, rowHeight - 1)} />
          ),
      )}
    </svg>
  );
}
