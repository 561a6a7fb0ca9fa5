import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";

/** What is known of an answer: a failed refresh leaves the older value in place. */
export interface Loaded<Value> {
  readonly value: Value | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
}

const NOTHING = { value: null, error: null, isLoading: false } as const;

/**
 * Loads a value whenever what it depends on changes, and again whenever `refresh` changes.
 *
 * @param key tells what to load; null means there is nothing.
 * @param subjectOf what of the key makes an older value useless when it changes; all of it when left out.
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

/** The same value as long as its content is the same: what is a new object at every reload must not count as new. */
export function stable<Value>(source: ReadonlySignal<Value>): ReadonlySignal<Value> {
  let last: Value = source.peek();
  return computed(() => {
    if (JSON.stringify(source.value) !== JSON.stringify(last)) last = source.value;
    return last;
  });
}
