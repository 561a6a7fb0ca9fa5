import type { Finding, Severity } from "./types";

/** Consequences of one kind that began at the same step. */
export interface Consequence {
  readonly rule: string;
  readonly step: number;
  readonly severity: Severity;
  /** In the order of the findings; "" for the training as a whole. */
  readonly layers: readonly string[];
}

/** What to look at first, and what follows from it. */
export interface RootCause {
  readonly finding: Finding;
  /** By onset. */
  readonly consequences: readonly Consequence[];
  /** Other open roots that are more than notes, worst first. */
  readonly others: readonly Finding[];
}

const isPressing = (finding: Finding) => finding.closed_step === null && finding.severity !== "note";

/** Null if nothing needs attention. Findings must be sorted as the server sends them: the root to start with is the first. */
export function rootCause(findings: readonly Finding[]): RootCause | null {
  const pressing = findings.filter(isPressing);
  const [finding] = pressing;
  if (finding === undefined) return null;
  const following = pressing.filter(({ root }) => root === finding.id);
  return {
    finding,
    consequences: grouped(following),
    others: pressing.filter(({ id, root }) => root === null && id !== finding.id),
  };
}

function grouped(findings: readonly Finding[]): Consequence[] {
  const groups = new Map<string, { first: Finding; layers: string[] }>();
  for (const finding of findings) {
    const key = `${finding.since_step} ${finding.rule} ${finding.severity}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: finding, layers: [finding.layer] });
    else group.layers.push(finding.layer);
  }
  return [...groups.values()]
    .map(({ first, layers }) => ({ rule: first.rule, step: first.since_step, severity: first.severity, layers }))
    .sort((a, b) => a.step - b.step);
}
