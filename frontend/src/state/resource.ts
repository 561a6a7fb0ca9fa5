import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";

/** State of an answer: a failed refresh keeps the older value. */
export interface Loaded<Value> {
  readonly value: Value | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
}

const NOTHING = { value: null, error: null, isLoading: false } as const;

/**
 * Loads a value whenever what it depends on changes, and again whenever `refresh` changes.
 *
 * @param key what to load; null for nothing.
 * @param subjectOf the part of the key whose change invalidates an older value; the whole key by default.
 */
export function resource<Key, Value>(
  key: ReadonlySignal<Key | null>,
  refresh: ReadonlySignal<unknown>,
  load: (key: Key, signal: AbortSignal) => Promise<Value>,
  subjectOf: (key: Key) => unknown = (whole) => whole,
): ReadonlySignal<Loaded<Value>> {
  const state = signal<Loaded<Value>>(NOTHING);
  let shownKey: string | null = null;
  effect(() => {
    const current = key.value;
    void refresh.value;
    if (current === null) {
      shownKey = null;
      state.value = NOTHING;
      return;
    }
    const name = JSON.stringify(subjectOf(current));
    const kept = name === shownKey ? state.peek().value : null;
    shownKey = name;
    state.value = { value: kept, error: null, isLoading: true };
    const controller = new AbortController();
    load(current, controller.signal).then(
      (value) => {
        if (!controller.signal.aborted) state.value = { value, error: null, isLoading: false };
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        const failure = error instanceof Error ? error : new Error(String(error));
        state.value = { value: kept, error: failure, isLoading: false };
      },
    );
    return () => controller.abort();
  });
  return state;
}

/** Keeps the identity of a value while its content is equal, so that new objects from a reload do not count as changes. */
export function stable<Value>(source: ReadonlySignal<Value>): ReadonlySignal<Value> {
  let last: Value = source.peek();
  return computed(() => {
    if (JSON.stringify(source.value) !== JSON.stringify(last)) last = source.value;
    return last;
  });
}
