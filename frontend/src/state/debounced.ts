import { effect, type ReadonlySignal, signal } from "@preact/signals";

/** Follows a signal after it has not changed for this many milliseconds; a value of null is followed at once. */
export function debounced<Value>(source: ReadonlySignal<Value | null>, wait: number): ReadonlySignal<Value | null> {
  const late = signal(source.peek());
  effect(() => {
    const { value } = source;
    if (value === null) {
      late.value = null;
      return;
    }
    const timer = setTimeout(() => {
      late.value = value;
    }, wait);
    return () => clearTimeout(timer);
  });
  return late;
}
