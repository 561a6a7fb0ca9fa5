import { formatCount } from "./format";
import type { Frame, SequencesHeader } from "./frame";
import type { NumberTable } from "./table";

/** One half of the data: root mean squares of outputs (0) or of gradients (1), `[bins, steps]`. */
export function overTime({ header, data }: Frame<SequencesHeader>, half: 0 | 1): Float32Array {
  const [, steps = 0, bins = 0] = header.shape;
  return Float32Array.from({ length: bins * steps }, (_, place) => {
    const bin = Math.floor(place / steps);
    return data[(half * steps + (place % steps)) * bins + bin] ?? Number.NaN;
  });
}

/** The first time step of each bin, counted from 1. */
export function timeNames(length: number, bins: number): string[] {
  return Array.from({ length: bins }, (_, bin) =>
    formatCount(length > bins ? Math.ceil((bin * length) / bins) + 1 : bin + 1),
  );
}

/** Both values of each bin at one observed step. */
export function timeTable(names: readonly string[], activity: Float32Array, gradient: Float32Array): NumberTable {
  return {
    rowTitle: "Time step",
    columns: [
      { title: "Gradient RMS", unit: "" },
      { title: "Output RMS", unit: "" },
    ],
    rows: names.map((name, bin) => ({ name, values: [gradient[bin] ?? Number.NaN, activity[bin] ?? Number.NaN] })),
  };
}
