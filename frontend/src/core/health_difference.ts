import type { Finding } from "./types";

/** Where only one of two runs is sick. */
export interface HealthDifference {
  readonly layer: string;
  readonly step: number;
  /** Whether it is the other run that is sick. */
  readonly isOther: boolean;
}

const pressing = (findings: readonly Finding[]) =>
  findings.filter(({ closed_step, severity }) => closed_step === null && severity !== "note");

/**
 * The earliest open warning or problem in a layer, or in the training as a whole, that has none in the other run; at the same
 * step a root comes before its consequences. Null without one.
 */
export function firstHealthDifference(main: readonly Finding[], other: readonly Finding[]): HealthDifference | null {
  const [own, theirs] = [pressing(main), pressing(other)];
  const lacking = (findings: readonly Finding[], others: readonly Finding[]) => {
    const sick = new Set(others.map(({ layer }) => layer));
    return findings.filter(({ layer }) => !sick.has(layer));
  };
  const found = [
    ...lacking(own, theirs).map((finding) => ({ finding, isOther: false })),
    ...lacking(theirs, own).map((finding) => ({ finding, isOther: true })),
  ].sort(
    (a, b) =>
      a.finding.since_step - b.finding.since_step || Number(a.finding.root !== null) - Number(b.finding.root !== null),
  );
  const [first] = found;
  return first === undefined
    ? null
    : { layer: first.finding.layer, step: first.finding.since_step, isOther: first.isOther };
}
