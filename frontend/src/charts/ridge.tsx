interface RidgeProps {
  /** A height in [0, 1] for each row, top row first. */
  readonly heights: readonly number[];
  /** Heights at another step, drawn as an outline; null draws none. */
  readonly reference: readonly number[] | null;
  /** Total height of the rows in pixels. */
  readonly size: number;
}

const WIDTH = 100;

/** One step of a rows x steps chart, as a ridge next to its rows. The table holds the numbers. */
export function Ridge({ heights, reference, size }: RidgeProps) {
  return (
    <svg class="ridge" viewBox={`0 0 ${WIDTH} ${size}`} preserveAspectRatio="none" height={size} aria-hidden="true">
      <path class="ridge-now" d={`M0 0${outline(heights, size)}L0 ${size}z`} />
      {reference !== null && <path class="ridge-reference" d={`M0 0${outline(reference, size)}`} />}
    </svg>
  );
}

function outline(heights: readonly number[], size: number): string {
  const row = size / Math.max(1, heights.length);
  return heights.map((height, index) => `L${(height * WIDTH).toFixed(1)} ${((index + 0.5) * row).toFixed(1)}`).join("");
}
