import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { debounced } from "../../src/state/debounced";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("follows the last of several quick changes, once", () => {
  const source = signal<number | null>(null);
  const late = debounced(source, 250);
  for (const value of [1, 2, 3]) {
    source.value = value;
    vi.advanceTimersByTime(200);
  }
  expect(late.value).toBeNull();
  vi.advanceTimersByTime(50);
  expect(late.value).toBe(3);
});

it("follows null at once, and forgets what was waiting", () => {
  const source = signal<number | null>(1);
  const late = debounced(source, 250);
  source.value = 2;
  source.value = null;
  expect(late.value).toBeNull();
  vi.advanceTimersByTime(1000);
  expect(late.value).toBeNull();
});
