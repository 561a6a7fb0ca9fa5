import type { RunDescription } from "./types";

/** A threshold that a statistic is compared with. */
export interface Limit {
  readonly value: number;
  /** "Dead units: warning share". */
  readonly words: string;
}

/** Thresholds of rules that are directly values of a statistic: rule, and name of the threshold. */
const LIMITS: Readonly<Record<string, readonly (readonly [rule: string, name: string])[]>> = {
  silent_fraction: [
    ["dead_units", "warning_share"],
    ["dead_units", "problem_share"],
  ],
  saturated_fraction: [
    ["saturated_units", "warning_share"],
    ["saturated_units", "problem_share"],
  ],
  update_ratio: [
    ["stagnant_weights", "still"],
    ["stagnant_weights", "fast"],
    ["exploding_gradient", "step"],
  ],
};

/** The thresholds of this run that can be drawn as lines over the statistic. */
export function limitsOf(
  statistic: string,
  thresholds: RunDescription["thresholds"],
  titleOf: (rule: string) => string,
): Limit[] {
  return (LIMITS[statistic] ?? []).flatMap(([rule, name]) => {
    const value = thresholds[rule]?.[name];
    return typeof value === "number" ? [{ value, words: `${titleOf(rule)}: ${name.replaceAll("_", " ")}` }] : [];
  });
}
