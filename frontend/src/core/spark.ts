import type { ValueScale } from "./scale";

export const SPARK_WIDTH = 56;
export const SPARK_HEIGHT = 16;
const POINTS = 28;

/** An SVG path of a row of values in a few points. Values below the scale are at the bottom; gaps remain gaps. */
export function sparkPath(values: Float32Array, scale: ValueScale | null): string {
  const count = Math.min(POINTS, values.length);
  let path = "";
  let isJoined = false;
  for (let point = 0; point < count; point++) {
    const index = count === 1 ? 0 : Math.round((point * (values.length - 1)) / (count - 1));
    const value = values[index] ?? Number.NaN;
    if (Number.isNaN(value)) {
      isJoined = false;
      continue;
    }
    const place = heightOf(value, scale);
    const x = count === 1 ? SPARK_WIDTH / 2 : (point * SPARK_WIDTH) / (count - 1);
    path += `${isJoined ? "L" : "M"}${x.toFixed(1)} ${((1 - place) * (SPARK_HEIGHT - 2) + 1).toFixed(1)}`;
    isJoined = true;
  }
  return path;
}

/** In [0, 1]. */
function heightOf(value: number, scale: ValueScale | null): number {
  if (!Number.isFinite(value)) return value > 0 ? 1 : 0;
  if (scale === null || (scale.kind === "log" && value <= 0)) return 0;
  return scale.position(value);
}
