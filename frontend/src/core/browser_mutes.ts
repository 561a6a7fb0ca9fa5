import type { Finding, Run, Severity } from "./types";

/** A mute that this browser keeps because the server does not write next to the run. */
export interface BrowserMute {
  readonly rule: string;
  readonly layer: string;
  readonly severity: Severity;
  readonly note: string;
  /** Seconds since the epoch. */
  readonly time: number;
}

/** By `runKey`, the runs muted last at the end. */
export type BrowserMutes = Readonly<Record<string, readonly BrowserMute[]>>;

export const LONGEST_NOTE = 1000;
/** Characters that the browser keeps; older runs are dropped first. */
const LARGEST_STORE = 500_000;
/** Characters of the mutes in an address. */
const LONGEST_QUERY = 8000;

/** Another log directory on the same port may have a run of this name, but hardly one that began at the same time. */
export function runKey({ name, start_time }: Pick<Run, "name" | "start_time">): string {
  return `${name}@${start_time}`;
}

/** Anything but a text that `writeMutes` gave counts as no mutes. */
export function readMutes(text: string | null): BrowserMutes {
  if (text === null) return {};
  try {
    const found: unknown = JSON.parse(text);
    if (typeof found !== "object" || found === null || Array.isArray(found)) return {};
    const runs = Object.entries(found).filter(([, mutes]) => Array.isArray(mutes) && mutes.every(isMute));
    return Object.fromEntries(runs) as BrowserMutes;
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

export function writeMutes(mutes: BrowserMutes): string {
  const runs = Object.entries(mutes);
  let text = JSON.stringify(Object.fromEntries(runs));
  while (text.length > LARGEST_STORE && runs.length > 0) {
    runs.shift();
    text = JSON.stringify(Object.fromEntries(runs));
  }
  return text;
}

/** With these findings of a run muted; unmuted if `note` is null. */
export function withMuted(
  mutes: BrowserMutes,
  key: string,
  findings: readonly Finding[],
  note: string | null,
  time: number,
): BrowserMutes {
  const isMeant = (mute: BrowserMute) => findings.some(({ rule, layer }) => rule === mute.rule && layer === mute.layer);
  const kept = (mutes[key] ?? []).filter((mute) => !isMeant(mute));
  const added = findings.map(({ rule, layer, severity }) => ({ rule, layer, severity, note: note ?? "", time }));
  const own = note === null ? kept : [...kept, ...added];
  const { [key]: _, ...others } = mutes;
  return own.length === 0 ? others : { ...others, [key]: own };
}

/** For the server, which judges without them; the oldest are dropped if the address would be too long. */
export function queryOf(mutes: readonly BrowserMute[]): string {
  const entries = mutes.map(({ rule, layer, severity }) => ({ rule, layer, severity }));
  while (entries.length > 0) {
    const text = JSON.stringify(entries);
    if (encodeURIComponent(text).length <= LONGEST_QUERY) return text;
    entries.shift();
  }
  return "";
}

/** The server does not know the notes that the browser keeps. */
export function withNotes(findings: readonly Finding[], mutes: readonly BrowserMute[]): readonly Finding[] {
  if (mutes.length === 0) return findings;
  return findings.map((finding) => {
    if (finding.mute?.stored !== "browser") return finding;
    const own = mutes.find(({ rule, layer }) => rule === finding.rule && layer === finding.layer);
    return own === undefined ? finding : { ...finding, mute: { ...finding.mute, note: own.note, time: own.time } };
  });
}

function isMute(value: unknown): value is BrowserMute {
  if (typeof value !== "object" || value === null) return false;
  const { rule, layer, severity, note, time } = value as Record<string, unknown>;
  const areTexts = [rule, layer, note].every((text) => typeof text === "string");
  return areTexts && ["note", "warning", "problem"].includes(String(severity)) && typeof time === "number";
}
