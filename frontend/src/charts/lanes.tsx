import type { MapRow } from "../core/graph";

interface LanesProps {
  readonly row: MapRow;
  readonly laneCount: number;
  readonly height: number;
}

const LANE = 11;
const MOST_LANES = 8;

/** The lines into, past and out of a row of the model map; rows touch each other. */
export function Lanes({ row, laneCount, height }: LanesProps) {
  const lane = Math.min(LANE, (LANE * MOST_LANES) / laneCount);
  const x = (index: number) => ((index + 0.5) * lane).toFixed(1);
  const middle = height / 2;
  const passing = row.passing.map((index) => `M${x(index)} 0V${height}`);
  const inputs = row.inputs.map((index) =>
    index === row.lane
      ? `M${x(index)} 0V${middle}`
      : `M${x(index)} 0C${x(index)} ${middle} ${x(row.lane)} 0 ${x(row.lane)} ${middle}`,
  );
  const output = row.hasOutput ? [`M${x(row.lane)} ${middle}V${height}`] : [];
  return (
    <svg class="lanes" width={Math.ceil(lane * laneCount)} height={height} aria-hidden="true">
      <path d={[...passing, ...inputs, ...output].join("")} />
      <circle cx={x(row.lane)} cy={middle} r={Math.min(3.5, lane / 2)} />
    </svg>
  );
}
