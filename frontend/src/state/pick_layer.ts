import type { Findings, Layer, RunDescription } from "../core/types";

/** The requested layer; else the one in the verdict; else the first. */
export function pickLayer(
  description: RunDescription | null,
  findings: Findings | null,
  isLoading: boolean,
  name: string | undefined,
): Layer | null {
  if (description === null) return null;
  const byName = (wanted: string | null | undefined) => description.layers.find((layer) => layer.name === wanted);
  const asked = byName(name);
  if (asked !== undefined) return asked;
  if (findings === null && isLoading) return null;
  return byName(findings?.verdict.layer) ?? description.layers[0] ?? null;
}
