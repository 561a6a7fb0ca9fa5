import { matchLayers, openFindings, type RankedLayer } from "./ranking";
import type { Finding, Rule } from "./types";

/** A rule with open findings, and the number of layers. */
export interface Flag {
  readonly rule: string;
  readonly title: string;
  readonly count: number;
}

/** Rules with open findings in the layers, in the order of the rules. */
export function flagsOf(ranked: readonly RankedLayer[], findings: readonly Finding[], rules: readonly Rule[]): Flag[] {
  return rules
    .map(({ id, title }) => ({ rule: id, title, count: ranked.filter(hasFlag(id, findings)).length }))
    .filter(({ count }) => count > 0);
}

/** Layers whose name or class contains the text and that the rule flags; without a rule, all matching layers. */
export function filterLayers(
  ranked: readonly RankedLayer[],
  findings: readonly Finding[],
  text: string,
  rule: string | undefined,
): RankedLayer[] {
  const matching = matchLayers(ranked, text);
  return rule === undefined ? matching : matching.filter(hasFlag(rule, findings));
}

function hasFlag(rule: string, findings: readonly Finding[]) {
  return ({ layer }: RankedLayer) => openFindings(findings, layer.name).some((finding) => finding.rule === rule);
}
