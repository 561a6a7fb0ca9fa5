import { afterEach, describe, expect, it, vi } from "vitest";
import { fetchDescription, fetchRuns, postMute } from "../src/api";
import type { ApiError } from "../src/core/failures";

const signal = new AbortController().signal;

function answerWith(body: string, status: number, type: string): void {
  vi.stubGlobal("fetch", async () => new Response(body, { status, headers: { "Content-Type": type } }));
}

async function failure(request: Promise<unknown>): Promise<Pick<ApiError, "kind" | "message">> {
  try {
    await request;
  } catch (error) {
    const { kind, message } = error as ApiError;
    return { kind, message };
  }
  throw new Error("the request did not fail");
}

afterEach(() => vi.unstubAllGlobals());

describe("an error", () => {
  it("has the kind that the server gives, whatever the status", async () => {
    for (const status of [409, 413, 422]) {
      answerWith('{"error": "no JSON in it", "kind": "damaged_run"}', status, "application/json");
      expect(await failure(fetchDescription("run", "", signal))).toEqual({
        kind: "damaged_run",
        message: "no JSON in it",
      });
    }
  });

  it("of TensorBoard itself is one of the server", async () => {
    answerWith("out of memory\n", 409, "text/plain");
    expect(await failure(fetchRuns(signal))).toEqual({ kind: "server", message: "out of memory" });
  });

  it("of a proxy is not shown as markup", async () => {
    answerWith("<html>Bad gateway</html>", 502, "text/html");
    expect(await failure(fetchRuns(signal))).toEqual({ kind: "server", message: "The server returned 502." });
  });

  it("that is not JSON although it claims to be is malformed", async () => {
    answerWith("{", 422, "application/json");
    expect((await failure(fetchRuns(signal))).kind).toBe("malformed");
  });

  it("tells that the server is gone", async () => {
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("Failed to fetch");
    });
    expect((await failure(fetchRuns(signal))).kind).toBe("network");
  });
});

describe("the description of a run", () => {
  it("comes from the route run", async () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (address: string) => {
      asked.push(address);
      return new Response('{"statistics": []}', { headers: { "Content-Type": "application/json" } });
    });
    await fetchDescription("a b", "", signal);
    expect(asked).toEqual(["./run?run=a+b"]);
  });
});

describe("a mute", () => {
  it("is a request that no other page can send unasked", async () => {
    const sent: [string, RequestInit][] = [];
    vi.stubGlobal("fetch", async (address: string, options: RequestInit) => {
      sent.push([address, options]);
      return new Response("{}", { headers: { "Content-Type": "application/json" } });
    });
    await postMute("a b", [{ rule: "dead_units", layer: "dense" }], "sparse on purpose");
    expect(sent).toEqual([
      [
        "./mute?run=a+b",
        {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: '{"findings":[{"rule":"dead_units","layer":"dense"}],"note":"sparse on purpose"}',
        },
      ],
    ]);
  });

  it("fails with the reason of the server", async () => {
    answerWith('{"error": "the folder is read-only", "kind": "read_only"}', 403, "application/json");
    expect(await failure(postMute("run", [], ""))).toEqual({ kind: "read_only", message: "the folder is read-only" });
  });
});
