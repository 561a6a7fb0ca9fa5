import type { Frame, MatrixHeader } from "./frame";
import { HEALTH_CODES } from "./severity";
import type { Layer } from "./types";

const UNOBSERVED = HEALTH_CODES.indexOf("unobserved");
const NEVER_JUDGED: readonly number[] = [UNOBSERVED, HEALTH_CODES.indexOf("not_applicable")];

/** Health with layers that cannot be observed marked as such: the server counts them as waiting for data. */
export function withUnobserved(health: Frame<MatrixHeader>, layers: readonly Layer[]): Frame<MatrixHeader> {
  const unobserved = new Set(layers.filter(({ not_observed }) => not_observed !== "").map(({ name }) => name));
  if (unobserved.size === 0) return health;
  const { layers: names, steps } = health.header;
  const data = health.data.slice();
  names.forEach((name, row) => {
    if (unobserved.has(name)) data.fill(UNOBSERVED, row * steps.length, (row + 1) * steps.length);
  });
  return { header: health.header, data };
}

/** Whether no rule judges the row of `[rows, steps]` at any step. */
export function isNeverJudged(health: Float32Array, stepCount: number, row: number): boolean {
  for (let index = row * stepCount; index < (row + 1) * stepCount; index++) {
    const code = health[index] ?? Number.NaN;
    if (!Number.isNaN(code) && !NEVER_JUDGED.includes(code)) return false;
  }
  return true;
}
