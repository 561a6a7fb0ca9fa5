import type { ValueScale } from "./scale";

/** How the value of one row is drawn. */
export type ProfilePoint =
  | { readonly kind: "value"; readonly position: number }
  | { readonly kind: "zero" }
  | { readonly kind: "missing" }
  | { readonly kind: "infinite"; readonly isNegative: boolean };

export function profilePoints(values: Float32Array, scale: ValueScale | null): ProfilePoint[] {
  return [...values].map((value) => {
    if (Number.isNaN(value)) return { kind: "missing" };
    if (!Number.isFinite(value)) return { kind: "infinite", isNegative: value < 0 };
    if (scale === null || (scale.kind === "log" && value <= 0)) return { kind: "zero" };
    return { kind: "value", position: scale.position(value) };
  });
}

export interface PlacedRow {
  readonly row: number;
  readonly position: number;
}

/** Rows joined by a line. A missing value, as of a layer without weights, does not end a line; a zero does. */
export function lineRuns(points: readonly ProfilePoint[]): PlacedRow[][] {
  const runs: PlacedRow[][] = [];
  let run: PlacedRow[] = [];
  points.forEach((point, row) => {
    if (point.kind === "value") {
      if (run.length === 0) runs.push(run);
      run.push({ row, position: point.position });
    } else if (point.kind !== "missing") {
      run = [];
    }
  });
  return runs;
}
