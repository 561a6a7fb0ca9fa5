import { effect, type ReadonlySignal } from "@preact/signals";
import type { Run } from "../core/types";

/** Seconds between polls for new records while a run seems to be active. */
const POLL_EVERY = 10;
/** Seconds after its last record for which a run counts as active. */
export const FRESH = 120;

export function pollWhileFresh(run: ReadonlySignal<Run | null>, now: ReadonlySignal<number>, look: () => void): void {
  let last = now.peek();
  effect(() => {
    const isFresh = run.value !== null && now.value - run.value.last_time < FRESH;
    if (!isFresh || now.value - last < POLL_EVERY) return;
    last = now.value;
    look();
  });
}
