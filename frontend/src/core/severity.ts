import { plural } from "./format";
import type { Early, HealthCode, Layer, Outcome, Rule, RunDescription, Severity } from "./types";
import { unreachable } from "./unreachable";

/** State of a layer at one step; `unobserved` layers have no values at all. */
export type HealthState = HealthCode | "unobserved";

/** Code of a state in the health matrix, by position. The page itself adds the last one, see `judgedRows`. */
export const HEALTH_CODES: readonly HealthState[] = [
  "ok",
  "note",
  "warning",
  "problem",
  "not_applicable",
  "insufficient_data",
  "error",
  "muted",
  "early_note",
  "early_warning",
  "early_problem",
  "unobserved",
];

export function healthOfCode(code: number): HealthState | null {
  return HEALTH_CODES[code] ?? null;
}

/**
 * Worst first: among several states the first one wins; the server merges in the same order. A failed rule precedes
 * health, because it may hide a finding. Unjudged layers are listed last.
 */
const MERGED: readonly HealthState[] = [
  "problem",
  "early_problem",
  "warning",
  "early_warning",
  "note",
  "error",
  "early_note",
  "muted",
  "ok",
  "insufficient_data",
  "not_applicable",
  "unobserved",
];

/** Rank of each code; smaller wins. */
const RANKS = HEALTH_CODES.map((state) => MERGED.indexOf(state));

/** Smaller is listed first. */
export function urgency(state: HealthState): number {
  return MERGED.indexOf(state);
}

export function worstOutcome(outcomes: readonly Outcome[]): HealthState | null {
  const known: readonly HealthState[] = outcomes;
  return MERGED.find((candidate) => known.includes(candidate)) ?? null;
}

/** The worse of two codes; NaN counts as none. */
export function worseCode(a: number, b: number): number {
  return (RANKS[b] ?? MERGED.length) < (RANKS[a] ?? MERGED.length) ? b : a;
}

export function layerState(layer: Layer): HealthState {
  if (layer.severity !== null) return layer.severity;
  if (layer.not_observed !== "") return "unobserved";
  return worstOutcome(countingOutcomes(layer)) ?? "insufficient_data";
}

/** The outcomes of the rules whose finding is not muted. */
function countingOutcomes({ outcomes, muted }: Layer): readonly Outcome[] {
  return muted.length === 0 ? outcomes : outcomes.filter((_, place) => !muted.includes(place));
}

export function isSeverity(state: HealthState): state is Severity {
  return state === "note" || state === "warning" || state === "problem";
}

/** The severity of a finding that was not confirmed yet. */
export function severityToCome(early: Early): Severity {
  return early.slice("early_".length) as Severity;
}

export function stateWord(state: HealthState): string {
  switch (state) {
    case "early_problem":
    case "early_warning":
    case "early_note":
      return `${stateWord(severityToCome(state))}, not yet confirmed`;
    case "muted":
      return "Muted";
    case "problem":
      return "Problem";
    case "warning":
      return "Warning";
    case "note":
      return "Note";
    case "ok":
      return "OK";
    case "not_applicable":
      return "Not applicable";
    case "insufficient_data":
      return "Not enough data yet";
    case "error":
      return "Not evaluated";
    case "unobserved":
      return "Not observable";
    default:
      return unreachable(state);
  }
}

type Waiting = Pick<RunDescription, "thresholds" | "records">;

/** What a waiting rule waits for, according to its thresholds and the number of recorded steps; "" if unknown. */
export function waitsFor(rule: string, { thresholds, records }: Waiting): string {
  const steps = thresholds[rule]?.min_checks;
  if (typeof steps !== "number") return "";
  return records < steps ? `: needs ${steps} observed steps` : ": the last steps are not conclusive";
}

/** Describes a layer without findings, and never as healthier than what was checked. */
export function stateSentence(layer: Layer, rules: readonly Rule[]): string {
  const state = layerState(layer);
  const count = (outcome: Outcome) => layer.outcomes.filter((other) => other === outcome).length;
  switch (state) {
    case "problem":
    case "warning":
    case "note":
      return stateWord(state);
    case "unobserved":
      return layer.not_observed;
    case "error":
      return `Not evaluated: ${namesOf(layer, rules, "error")} failed`;
    case "insufficient_data":
      return "Not enough data yet";
    case "not_applicable":
      return "No rule applies";
    case "ok": {
      const waiting = count("insufficient_data");
      const muted = layer.muted.length > 0 ? `, ${layer.muted.length} muted` : "";
      return `OK: ${plural(count("ok"), "check")} passed${waiting > 0 ? `, ${waiting} waiting for data` : ""}${muted}`;
    }
    default:
      return stateWord(state);
  }
}

/** Which rules failed on how many layers: "vanishing gradient on 2 layers"; empty if none failed. */
export function failedRules(layers: readonly Layer[], rules: readonly Rule[]): string {
  const ofTraining = rules.filter(({ outcome }) => outcome === "error").map(({ title }) => title.toLowerCase());
  const ofLayers = rules
    .map((rule, index) => ({ rule, count: layers.filter(({ outcomes }) => outcomes[index] === "error").length }))
    .filter(({ count }) => count > 0)
    .map(({ rule, count }) => `${rule.title.toLowerCase()} on ${plural(count, "layer")}`);
  return [...ofLayers, ...ofTraining].join(", ");
}

function namesOf(layer: Layer, rules: readonly Rule[], outcome: Outcome): string {
  return rules
    .filter((_, index) => layer.outcomes[index] === outcome)
    .map((rule) => rule.title.toLowerCase())
    .join(", ");
}

/** The states that occur among codes. Counts by code, because a set of a million values takes noticeable time. */
export function statesIn(values: Float32Array): ReadonlySet<HealthState | null> {
  const counts = new Uint32Array(HEALTH_CODES.length);
  for (const code of values) counts[code] = (counts[code] ?? 0) + 1;
  return new Set(HEALTH_CODES.filter((_, code) => (counts[code] ?? 0) > 0));
}
