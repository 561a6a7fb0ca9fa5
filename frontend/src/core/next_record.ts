import constants from "./constants.json";
import { formatCount, formatDuration } from "./format";

/** What is known about a training that may still be running. */
export interface Progress {
  /** Recorded steps, ascending, and when they were recorded in seconds. */
  readonly steps: readonly number[];
  readonly wallTimes: readonly number[];
  /** A number of steps, "auto", "batch" or "epoch". */
  readonly frequency: unknown;
  /** Share of the training time that observing may take. */
  readonly budget: unknown;
  /** Share taken so far, and seconds for one observation. */
  readonly overhead: number | null;
  readonly observationSeconds: number | null;
}

export interface NextRecord {
  readonly step: number;
  /** Seconds from the last record until it. */
  readonly seconds: number;
}

/** Records from which the speed is measured. */
const RECENT = 12;

/** When the next record is due; null if too little is known. */
export function nextRecord(progress: Progress): NextRecord | null {
  const { steps, wallTimes, frequency } = progress;
  const last = steps[steps.length - 1];
  const first = Math.max(0, steps.length - RECENT);
  const ran = (last ?? 0) - (steps[first] ?? 0);
  const took = (wallTimes[wallTimes.length - 1] ?? 0) - (wallTimes[first] ?? 0);
  if (last === undefined || !(ran > 0) || !(took > 0)) return null;
  const speed = ran / took;
  if (frequency === "batch") return at(1, last, speed);
  if (typeof frequency === "number") return at(frequency, last, speed);
  if (frequency === "epoch") return at(last - (steps[steps.length - 2] ?? 0), last, speed);
  return at(Math.max(1, Math.ceil(autoInterval(progress, last, speed))), last, speed);
}

function at(interval: number, last: number, speed: number): NextRecord {
  return { step: last + interval, seconds: interval / speed };
}

/** Steps until "auto" observes again. */
function autoInterval(progress: Progress, last: number, speed: number): number {
  const { wallTimes, budget, overhead, observationSeconds } = progress;
  const elapsed = (wallTimes[wallTimes.length - 1] ?? 0) - (wallTimes[0] ?? 0);
  if (elapsed < constants.freeSeconds) return Math.floor(constants.scheduleGrowth * last) - last;
  const cost = observationSeconds ?? 0;
  if (typeof budget !== "number" || !(budget > 0)) return constants.finestShare * last;
  const untilPaid = ((overhead ?? 0) * elapsed + cost) / budget - elapsed;
  const seconds = Math.min(Math.max(0, untilPaid), Math.max(constants.longestGap, cost / budget));
  return Math.max(constants.finestShare * last, seconds * speed);
}

/** A record that is this many times later than expected, and by this many seconds, is overdue. */
const LATE = 3;
const LATE_SECONDS = 30;

export type Pulse = "recording" | "overdue";

/** Whether the next record is still to be expected. */
export function pulseOf({ seconds }: NextRecord, age: number): Pulse {
  return age > Math.max(LATE * seconds, LATE_SECONDS) ? "overdue" : "recording";
}

/** "Next record around step 540, in about 12 s". */
export function nextRecordWords({ step, seconds }: NextRecord, age: number): string {
  const left = seconds - age;
  const when = left >= 2 ? `in about ${formatDuration(left)}` : "due now";
  return `Next record around step ${formatCount(step)}, ${when}`;
}
