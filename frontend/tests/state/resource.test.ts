import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import { resource } from "../../src/state/resource";

interface Call {
  readonly key: string;
  readonly signal: AbortSignal;
  resolve(value: string): void;
  reject(error: unknown): void;
}

function setUp(subjectOf?: (key: string) => unknown) {
  const key = signal<string | null>("a");
  const refresh = signal(0);
  const calls: Call[] = [];
  const state = resource(
    key,
    refresh,
    (name, abort) =>
      new Promise<string>((resolve, reject) => {
        calls.push({ key: name, signal: abort, resolve, reject });
      }),
    subjectOf,
  );
  const settle = () => new Promise((done) => setTimeout(done, 0));
  return { key, refresh, calls, state, settle };
}

describe("resource", () => {
  it("loads immediately and reports it", async () => {
    const { calls, state, settle } = setUp();
    expect(state.value).toEqual({ value: null, error: null, isLoading: true });
    calls[0]?.resolve("A");
    await settle();
    expect(state.value).toEqual({ value: "A", error: null, isLoading: false });
  });

  it("keeps the older value while refreshing and when the refresh fails", async () => {
    const { refresh, calls, state, settle } = setUp();
    calls[0]?.resolve("A");
    await settle();
    refresh.value += 1;
    expect(state.value).toEqual({ value: "A", error: null, isLoading: true });
    calls[1]?.reject(new Error("down"));
    await settle();
    expect(state.value.value).toBe("A");
    expect(state.value.error?.message).toBe("down");
  });

  it("drops the old value for a new key, and the late answer to the old one", async () => {
    const { key, calls, state, settle } = setUp();
    key.value = "b";
    expect(calls[0]?.signal.aborted).toBe(true);
    calls[1]?.resolve("B");
    calls[0]?.resolve("A");
    await settle();
    expect(state.value.value).toBe("B");
    key.value = "c";
    expect(state.value.value).toBeNull();
  });

  it("keeps the old value for a new key of the same subject", async () => {
    const { key, calls, state, settle } = setUp((name) => name[0]);
    calls[0]?.resolve("A");
    await settle();
    key.value = "a and more";
    expect(state.value).toEqual({ value: "A", error: null, isLoading: true });
    key.value = "b";
    expect(state.value.value).toBeNull();
  });

  it("loads nothing without a key", () => {
    const { key, calls, state } = setUp();
    key.value = null;
    expect(state.value).toEqual({ value: null, error: null, isLoading: false });
    expect(calls).toHaveLength(1);
  });
});
