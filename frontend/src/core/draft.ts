import type { Rule, RunDescription, Threshold } from "./types";

/** Thresholds that the user tries instead of those of the run. */
export interface Draft {
  /** Values by rule and threshold. */
  readonly values: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Rules that are not checked. */
  readonly off: readonly string[];
}

/** What a rules file contains: the thresholds of each rule that differ from its defaults. */
export type RulesFile = Readonly<Record<string, Readonly<Record<string, number>>>>;

export const NO_DRAFT: Draft = { values: {}, off: [] };

/** The rules that the server knows; only these can be judged again. */
export function knownRules({ rules }: RunDescription): readonly Rule[] {
  return rules.filter(({ why }) => why !== "");
}

export function draftValue(draft: Draft, rule: string, threshold: Threshold): number {
  return draft.values[rule]?.[threshold.id] ?? threshold.value;
}

/** The draft with another value; the value of the run removes it. */
export function withValue(draft: Draft, rule: string, threshold: Threshold, value: number): Draft {
  const own = { ...draft.values[rule], [threshold.id]: value };
  if (value === threshold.value) delete own[threshold.id];
  const values = { ...draft.values, [rule]: own };
  if (Object.keys(own).length === 0) delete values[rule];
  return { ...draft, values };
}

export function withRule(draft: Draft, rule: string, isOn: boolean): Draft {
  const off = draft.off.filter((other) => other !== rule);
  return { ...draft, off: isOn ? off : [...off, rule] };
}

export function isChanged(draft: Draft): boolean {
  return Object.keys(draft.values).length > 0 || draft.off.length > 0;
}

export function rulesFile(rules: readonly Rule[], draft: Draft): RulesFile {
  const checked = rules.filter(({ id }) => !draft.off.includes(id));
  return Object.fromEntries(
    checked.map(({ id, thresholds }) => {
      const values = thresholds.map((each) => ({ each, value: draftValue(draft, id, each) }));
      const differing = values.filter(({ each, value }) => value !== each.default);
      return [id, Object.fromEntries(differing.map(({ each, value }) => [each.id, value]))];
    }),
  );
}
