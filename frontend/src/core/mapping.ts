/** From values to positions in [0, 1], and back. */
export interface Mapping {
  /** Values beyond the ends have the position of the end. */
  position(value: number): number;
  valueAt(position: number): number;
}

/** Positions of equal distance for equal steps of `measure`, which must ascend; `inverse` undoes it. */
function mapping(from: number, to: number, measure: (value: number) => number, inverse: typeof measure): Mapping {
  const start = measure(from);
  const span = measure(to) - start;
  return {
    position: (value) => (span === 0 ? 0.5 : clamp((measure(value) - start) / span)),
    valueAt: (position) => inverse(start + clamp(position) * span),
  };
}

const same = (value: number) => value;

export function linearMapping(from: number, to: number): Mapping {
  return mapping(from, to, same, same);
}

/** Ends and values must be above 0. */
export function logMapping(from: number, to: number): Mapping {
  return mapping(from, to, Math.log, Math.exp);
}

/** Linear for values that are small compared with `constant`, logarithmic for large ones of both signs (Webber 2012). */
export function symlogMapping(from: number, to: number, constant: number): Mapping {
  return mapping(
    from,
    to,
    (value) => Math.sign(value) * Math.log1p(Math.abs(value / constant)),
    (level) => Math.sign(level) * Math.expm1(Math.abs(level)) * constant,
  );
}

function clamp(position: number): number {
  return Math.max(0, Math.min(1, position));
}
