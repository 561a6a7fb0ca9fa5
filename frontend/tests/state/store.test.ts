import { effect } from "@preact/signals";
import { afterEach, describe, expect, it, vi } from "vitest";
import { failureTitle, kindOf } from "../../src/core/failures";
import type { Run } from "../../src/core/types";
import type { Host } from "../../src/host";
import { createStore } from "../../src/state/store";

const HOST: Host = {
  place: {},
  selection: { ticked: {}, pattern: "" },
  stockAddress: () => "",
  keepPlace: () => {},
  watchTheme: () => {},
  watchReload: () => {},
  watchClock: () => {},
  hasShortcuts: true,
  keepShortcuts: () => {},
  address: () => "",
  listenForKeys: () => () => undefined,
  nameFrame: () => {},
};

const RUN: Run = {
  name: "half",
  readable: true,
  kind: null,
  reason: "",
  records: 2,
  layers: 4,
  first_step: 0,
  last_step: 10,
  start_time: 0,
  last_time: 1,
  severity: null,
};

/** The list of runs is sound; every other route answers with this error. */
function serveOnlyRuns(status: number, kind: string): void {
  vi.stubGlobal("fetch", async (address: string) => {
    const isList = address === "./runs";
    const body = isList ? { runs: [RUN], left_out: {} } : { error: "layers holds a value that is not a tensor", kind };
    return new Response(JSON.stringify(body), {
      status: isList ? 200 : status,
      headers: { "Content-Type": "application/json" },
    });
  });
}

/** Waits for the description of the run to fail. */
function descriptionError(): Promise<Error> {
  const store = createStore(HOST);
  return new Promise((resolve) => {
    effect(() => {
      const { error } = store.description.value;
      if (error !== null) resolve(error);
    });
  });
}

afterEach(() => vi.unstubAllGlobals());

describe("a run with a sound overview", () => {
  it("is damaged when its layers are, and not written by a newer version", async () => {
    serveOnlyRuns(422, "damaged_run");
    const error = await descriptionError();
    expect(kindOf(error)).toBe("damaged_run");
    expect(failureTitle(RUN.name, kindOf(error))).toBe("“half” is damaged");
  });

  it("is titled by the kind of the error, not by its status", async () => {
    serveOnlyRuns(409, "damaged_run");
    expect(kindOf(await descriptionError())).toBe("damaged_run");
    serveOnlyRuns(422, "newer_schema");
    const error = await descriptionError();
    expect(failureTitle(RUN.name, kindOf(error))).toBe("“half” was written by a newer version");
  });
});
