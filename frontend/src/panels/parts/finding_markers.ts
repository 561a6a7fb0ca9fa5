import type { StepMarker } from "../../charts/series_marks";
import type { Palette } from "../../core/color";
import { formatCount } from "../../core/format";
import { ruleTitle } from "../../core/ranking";
import type { Finding, Rule } from "../../core/types";

/** Where findings began, one marker per step; it looks like the first finding of its step, so the worst must come first. */
export function findingMarkers(findings: readonly Finding[], rules: readonly Rule[], palette: Palette): StepMarker[] {
  const steps = new Map<number, Finding[]>();
  for (const finding of findings) {
    const { since_step: step } = finding;
    steps.set(step, [...(steps.get(step) ?? []), finding]);
  }
  return [...steps].flatMap(([step, [worst, ...rest]]) => {
    if (worst === undefined) return [];
    const place = worst.layer === "" ? "" : ` in ${worst.layer}`;
    const more = rest.length === 0 ? "" : ` and ${formatCount(rest.length)} more`;
    const words = `${ruleTitle(worst.rule, rules)}${place}${more}, since step ${formatCount(step)}`;
    return [{ step, color: palette[worst.severity], glyph: worst.severity, words }];
  });
}
