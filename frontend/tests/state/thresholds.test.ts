import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Run, RunDescription } from "../../src/core/types";
import type { Loaded } from "../../src/state/resource";
import { createThresholds, type Thresholds } from "../../src/state/thresholds";
import { threshold } from "../samples";

const SHARE = threshold();
const RULES = [
  { id: "dead_units", title: "Dead units", why: "…", outcome: null, thresholds: [SHARE] },
  { id: "from_later", title: "from_later", why: "", outcome: null, thresholds: [] },
];
let run: Signal<Run | null>;
const description = signal({ value: { rules: RULES }, error: null, isLoading: false }) as unknown as ReadonlySignal<
  Loaded<RunDescription>
>;

let asked: URLSearchParams[] = [];
let thresholds: Thresholds;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  vi.stubGlobal("fetch", async (address: string) => {
    asked.push(new URLSearchParams(address.split("?")[1]));
    return new Response('{"changes": []}', { headers: { "Content-Type": "application/json" } });
  });
  run = signal<Run | null>({ name: "train", start_time: 0, records: 10 } as Run);
  const mute = { rule: "dead_units", layer: "a", severity: "note", note: "", time: 0 } as const;
  thresholds = createThresholds({ run, description }, { browserMutesOf: () => [mute], mute: async () => "" });
  thresholds.openDrawer("dead_units");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("trying thresholds", () => {
  it("asks nothing before something changes, nor while the drawer is closed", () => {
    vi.advanceTimersByTime(1000);
    thresholds.closeDrawer();
    thresholds.tryThreshold("dead_units", SHARE, 0.7);
    vi.advanceTimersByTime(1000);
    expect(asked).toEqual([]);
  });

  it("asks once for the last of several moves at once, with the mutes of the browser", () => {
    for (const value of [0.6, 0.7, 0.8]) thresholds.tryThreshold("dead_units", SHARE, value);
    vi.advanceTimersByTime(1000);
    expect(asked.map((query) => Object.fromEntries(query))).toEqual([
      {
        run: "train",
        rules: '{"dead_units":{"warning_share":0.8}}',
        muted: '[{"rule":"dead_units","layer":"a","severity":"note"}]',
      },
    ]);
  });

  it("asks again when the run has grown, and when the user wants to", () => {
    thresholds.tryThreshold("dead_units", SHARE, 0.8);
    vi.advanceTimersByTime(1000);
    run.value = { name: "train", start_time: 0, records: 11 } as Run;
    thresholds.judgeAgain();
    expect(asked).toHaveLength(3);
  });

  it("begins again with another run", () => {
    thresholds.tryThreshold("dead_units", SHARE, 0.8);
    run.value = { name: "other", start_time: 0, records: 10 } as Run;
    vi.advanceTimersByTime(1000);
    expect(thresholds.draft.value).toEqual({ values: {}, off: [] });
    expect(asked).toEqual([]);
  });

  it("follows a slider answer by answer, and gives up only what takes long", async () => {
    const answers: (() => void)[] = [];
    const given: boolean[] = [];
    vi.stubGlobal("fetch", (address: string, { signal: abort }: RequestInit) => {
      asked.push(new URLSearchParams(address.split("?")[1]));
      const place = given.push(false) - 1;
      abort?.addEventListener("abort", () => {
        given[place] = true;
      });
      return new Promise((resolve) => {
        answers.push(() =>
          resolve(new Response('{"changes": []}', { headers: { "Content-Type": "application/json" } })),
        );
      });
    });
    const move = async (value: number) => {
      thresholds.tryThreshold("dead_units", SHARE, value);
      await vi.advanceTimersByTimeAsync(20);
    };
    for (const value of [0.6, 0.61, 0.62]) await move(value);
    expect(asked).toHaveLength(1);
    answers[0]?.();
    await vi.advanceTimersByTimeAsync(1);
    expect(asked.map((query) => query.get("rules"))).toEqual([
      '{"dead_units":{"warning_share":0.6}}',
      '{"dead_units":{"warning_share":0.62}}',
    ]);
    expect(thresholds.isJudgingSlow.value).toBe(false);
    await vi.advanceTimersByTimeAsync(301);
    expect(thresholds.isJudgingSlow.value).toBe(true);
    await move(0.7);
    expect(given[1]).toBe(false);
    await vi.advanceTimersByTimeAsync(300);
    expect(asked).toHaveLength(3);
    expect(given.slice(1)).toEqual([true, false]);
  });

  it("repeats a request that an older one has overtaken, but not for ever", async () => {
    const body = JSON.stringify({ error: "a newer request replaced this one", kind: "superseded" });
    const options = { status: 409, headers: { "Content-Type": "application/json" } };
    let asks = 0;
    vi.stubGlobal("fetch", async () => {
      asks += 1;
      return new Response(body, options);
    });
    thresholds.tryThreshold("dead_units", SHARE, 0.8);
    await vi.advanceTimersByTimeAsync(1000);
    expect(asks).toBe(4);
    expect(thresholds.judgement.value.error?.message).toBe("a newer request replaced this one");
  });

  it("asks nothing while no rule is checked", () => {
    thresholds.tryRule("dead_units", false);
    vi.advanceTimersByTime(1000);
    expect(asked).toEqual([]);
    thresholds.resetThresholds();
    expect(thresholds.draft.value).toEqual({ values: {}, off: [] });
  });
});
