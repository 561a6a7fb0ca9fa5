import type { Layer, Outcome, Rule, RunDescription, Severity } from "./types";

/** Everything that can be said of a layer at one step; `unobserved` layers have no figures at all. */
export type HealthState = Outcome | "unobserved";

/** Code of a state in the health matrix, by position. */
export const HEALTH_CODES: readonly Outcome[] = [
  "ok",
  "note",
  "warning",
  "problem",
  "not_applicable",
  "insufficient_data",
  "error",
];

export function healthOfCode(code: number): Outcome | null {
  return HEALTH_CODES[code] ?? null;
}

/** Order of urgency, most urgent first. A failed rule stands above health: it hides what it should have told. */
const URGENCY: readonly HealthState[] = [
  "problem",
  "warning",
  "note",
  "error",
  "unobserved",
  "insufficient_data",
  "ok",
  "not_applicable",
];

/** Smaller is more urgent. */
export function urgency(state: HealthState): number {
  return URGENCY.indexOf(state);
}

/** Which code stands for a stretch of steps; the server merges rules in the same order. */
const CODE_PRECEDENCE: readonly Outcome[] = [
  "problem",
  "warning",
  "note",
  "error",
  "ok",
  "insufficient_data",
  "not_applicable",
];

export function worstOutcome(outcomes: readonly Outcome[]): Outcome | null {
  return CODE_PRECEDENCE.find((candidate) => outcomes.includes(candidate)) ?? null;
}

/** NaN counts as nothing; of two codes the one that must not be overlooked. */
export function worseCode(a: number, b: number): number {
  const rank = (code: number) => {
    const outcome = healthOfCode(code);
    return outcome === null ? CODE_PRECEDENCE.length : CODE_PRECEDENCE.indexOf(outcome);
  };
  return rank(b) < rank(a) ? b : a;
}

export function layerState(layer: Layer): HealthState {
  if (layer.severity !== null) return layer.severity;
  if (layer.not_observed !== "") return "unobserved";
  return worstOutcome(layer.outcomes) ?? "insufficient_data";
}

export function isSeverity(state: HealthState): state is Severity {
  return state === "note" || state === "warning" || state === "problem";
}

export function stateWord(state: HealthState): string {
  switch (state) {
    case "problem":
      return "Problem";
    case "warning":
      return "Warning";
    case "note":
      return "Note";
    case "ok":
      return "No finding";
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

/** What a rule that waits for data needs, as its thresholds tell; "" where they do not. */
export function waitsFor(rule: string, thresholds: RunDescription["thresholds"]): string {
  const steps = thresholds[rule]?.min_checks;
  return typeof steps === "number" ? `: needs ${steps} observed steps` : "";
}

/** A sentence for a layer without findings; it never sounds healthier than what was checked. */
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
      const told: readonly (readonly [Outcome, string])[] = [
        ["insufficient_data", "waiting for data"],
        ["not_applicable", "not applicable"],
      ];
      const rest = told
        .filter(([outcome]) => count(outcome) > 0)
        .map(([outcome, word]) => `, ${count(outcome)} ${word}`);
      return `No finding: ${count("ok")} ${count("ok") === 1 ? "rule" : "rules"} checked${rest.join("")}`;
    }
    default:
      return unreachable(state);
  }
}

/** Which rules failed on how many layers: "vanishing gradient on 2 layers"; empty when none failed. */
export function failedRules(layers: readonly Layer[], rules: readonly Rule[]): string {
  return rules
    .map((rule, index) => ({ rule, count: layers.filter(({ outcomes }) => outcomes[index] === "error").length }))
    .filter(({ count }) => count > 0)
    .map(({ rule, count }) => `${rule.title.toLowerCase()} on ${count} ${count === 1 ? "layer" : "layers"}`)
    .join(", ");
}

function namesOf(layer: Layer, rules: readonly Rule[], outcome: Outcome): string {
  return rules
    .filter((_, index) => layer.outcomes[index] === outcome)
    .map((rule) => rule.title.toLowerCase())
    .join(", ");
}

export function unreachable(value: never): never {
  throw new Error(`unexpected value ${String(value)}`);
}
