import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";

/** Milliseconds after which an answer is given up for a newer question. */
const PATIENCE = 600;

/**
 * Asks one question at a time, so that quick answers keep pace with a slider: while one is on its way, a newer question
 * waits for it, but not for long. A value of null is followed at once.
 */
export function paced<Value>(wanted: ReadonlySignal<Value | null>) {
  const sent = signal(wanted.peek());
  let since = Number.NEGATIVE_INFINITY;
  const follow = (isWaiting: ReadonlySignal<boolean>) =>
    effect(() => {
      const { value } = wanted;
      if (value === null) {
        sent.value = null;
        return;
      }
      if (sent.peek() === value) return;
      const left = isWaiting.value ? since + PATIENCE - performance.now() : 0;
      const timer = setTimeout(
        () => {
          since = performance.now();
          sent.value = value;
        },
        Math.max(0, left),
      );
      return () => clearTimeout(timer);
    });
  return { sent, follow };
}

/** True once the source has been true for this many milliseconds without a break. */
export function lasting(source: ReadonlySignal<boolean>, wait: number): ReadonlySignal<boolean> {
  const late = signal(false);
  effect(() => {
    late.value = false;
    if (!source.value) return;
    const timer = setTimeout(() => {
      late.value = true;
    }, wait);
    return () => clearTimeout(timer);
  });
  return computed(() => late.value && source.value);
}
