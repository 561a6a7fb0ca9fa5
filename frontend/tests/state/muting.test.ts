import { afterEach, describe, expect, it, vi } from "vitest";
import type { Run } from "../../src/core/types";
import type { Host } from "../../src/host";
import { createMuting } from "../../src/state/muting";
import { finding } from "../samples";

const RUN = { name: "train", start_time: 7 } as Run;

/** A browser that remembers one text. */
function memory(): Host & { text: string | null } {
  const kept = {
    text: null as string | null,
    recall: () => kept.text,
    remember: (_: string, text: string) => {
      kept.text = text;
    },
  };
  return kept as unknown as Host & { text: string | null };
}

afterEach(() => vi.unstubAllGlobals());

describe("muting", () => {
  it("keeps a mute in the browser where the server does not write, and asks nobody", async () => {
    const host = memory();
    vi.stubGlobal("fetch", () => expect.fail("it asked the server"));
    expect(await createMuting(host).mute(RUN, "browser", [finding()], "why")).toBe("");
    const again = createMuting(host);
    expect(again.browserMutesOf(RUN).map(({ note }) => note)).toEqual(["why"]);
    await again.mute(RUN, "browser", [finding()], null);
    expect(again.browserMutesOf(RUN)).toEqual([]);
  });

  it("stores a mute next to the run where the server writes, and forgets that of the browser", async () => {
    const host = memory();
    const muting = createMuting(host);
    await muting.mute(RUN, "browser", [finding()], "old");
    vi.stubGlobal("fetch", async () => new Response("{}", { headers: { "Content-Type": "application/json" } }));
    expect(await muting.mute(RUN, "run", [finding()], "new")).toBe("");
    expect(muting.browserMutesOf(RUN)).toEqual([]);
  });

  it("reports why the server refuses", async () => {
    const body = JSON.stringify({ error: "the folder is read-only", kind: "read_only" });
    const options = { status: 403, headers: { "Content-Type": "application/json" } };
    vi.stubGlobal("fetch", async () => new Response(body, options));
    expect(await createMuting(memory()).mute(RUN, "run", [finding()], "x")).toBe("the folder is read-only");
  });
});
