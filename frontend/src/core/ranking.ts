import { briefEvidence, formatCount } from "./format";
import { type HealthState, layerState, stateSentence, urgency } from "./severity";
import type { Finding, Layer, Rule } from "./types";

/** One line of the list of layers. */
export interface RankedLayer {
  readonly layer: Layer;
  /** Row in model order. */
  readonly index: number;
  readonly state: HealthState;
  /** The worst finding in a few words, else the state of the layer. */
  readonly words: string;
  /** Open findings in addition to the one in `words`. */
  readonly more: number;
  /** The step since which the first open finding holds; null without one. */
  readonly onset: number | null;
}

export type SortOrder = "severity" | "onset" | "model";

/** Findings must be sorted worst first, as the server sends them. */
export function rankLayers(
  layers: readonly Layer[],
  findings: readonly Finding[],
  rules: readonly Rule[],
  order: SortOrder,
): RankedLayer[] {
  const ranked = layers.map((layer, index) => rank(layer, index, openFindings(findings, layer.name), rules));
  if (order === "model") return ranked;
  if (order === "onset") return ranked.sort((a, b) => onset(a) - onset(b) || a.index - b.index);
  const place = new Map<string, number>();
  findings.forEach((finding, index) => {
    if (isCounting(finding) && !place.has(finding.layer)) place.set(finding.layer, index);
  });
  const placeOf = (entry: RankedLayer) => place.get(entry.layer.name) ?? findings.length;
  return ranked.sort((a, b) => urgency(a.state) - urgency(b.state) || placeOf(a) - placeOf(b) || a.index - b.index);
}

function rank(layer: Layer, index: number, open: readonly Finding[], rules: readonly Rule[]): RankedLayer {
  const state = layerState(layer);
  // The server lists roots before consequences, so the first finding of a layer need not be its worst.
  const worst = [...open].sort((a, b) => urgency(a.severity) - urgency(b.severity))[0];
  const words = worst === undefined ? stateSentence(layer, rules) : findingWords(worst, rules);
  const onset = open.length === 0 ? null : Math.min(...open.map(({ since_step }) => since_step));
  return { layer, index, state, words, more: Math.max(0, open.length - 1), onset };
}

function onset(entry: RankedLayer): number {
  return entry.onset ?? Number.POSITIVE_INFINITY;
}

/** Open, and not muted. */
export function isCounting(finding: Finding): boolean {
  return finding.closed_step === null && finding.mute === null;
}

/** Those that count. */
export function openFindings(findings: readonly Finding[], layer: string): Finding[] {
  return findings.filter((finding) => finding.layer === layer && isCounting(finding));
}

/**
 * The open finding after or before the last visited one, wrapping around at the ends. If another layer was chosen since,
 * the first finding of that layer; if it has none, the first or last of all. Null without findings.
 */
export function neighborFinding(
  findings: readonly Finding[],
  last: string | null,
  layer: string,
  direction: 1 | -1,
): Finding | null {
  const open = findings.filter(isCounting);
  const current = open.findIndex((finding) => finding.id === last && finding.layer === layer);
  if (current >= 0) return open[(current + direction + open.length) % open.length] ?? null;
  const chosen = open.find((finding) => finding.layer === layer);
  return chosen ?? open.at(direction === 1 ? 0 : -1) ?? null;
}

/** Findings that belong to no layer: those about the training as a whole. */
export function findingsWithoutLayer(findings: readonly Finding[], layers: readonly Layer[]): Finding[] {
  const names = new Set(layers.map((layer) => layer.name));
  return findings.filter((finding) => !names.has(finding.layer));
}

function findingWords(finding: Finding, rules: readonly Rule[]): string {
  return `${ruleTitle(finding.rule, rules)} since step ${formatCount(finding.since_step)}: ${briefEvidence(finding)}`;
}

export function ruleTitle(id: string, rules: readonly Rule[]): string {
  return rules.find((rule) => rule.id === id)?.title ?? id;
}

/** Layers whose name or class contains the text, ignoring case. */
export function matchLayers(ranked: readonly RankedLayer[], text: string): RankedLayer[] {
  const wanted = text.trim().toLowerCase();
  return ranked.filter(({ layer }) => `${layer.name} ${layer.class_name}`.toLowerCase().includes(wanted));
}

/** The name of the layer, also for one of its calls. */
export function baseName({ name, call_site }: Layer): string {
  return call_site > 0 ? name.replace(/@\d+$/, "") : name;
}

/** Calls that one chart can distinguish. */
const MOST_CALLS = 5;

/** Names of the single calls of a shared layer, without itself; empty for other layers. */
export function callsOf(layer: Layer, layers: readonly Layer[]): string[] {
  const base = baseName(layer);
  return layers
    .filter((other) => other.call_site > 0 && other.name !== layer.name && baseName(other) === base)
    .map(({ name }) => name)
    .slice(0, MOST_CALLS);
}
