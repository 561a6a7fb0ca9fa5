import { effect } from "@preact/signals";
import { afterEach, describe, expect, it, vi } from "vitest";
import { failureTitle, kindOf } from "../../src/core/failures";
import type { Place } from "../../src/core/url";
import type { Host } from "../../src/host";
import { createStore } from "../../src/state/store";
import { run } from "../samples";

const HOST: Host = {
  place: {},
  selection: { ticked: {}, pattern: "" },
  stockAddress: () => "",
  openStock: () => undefined,
  keepPlace: () => {},
  watchPlace: () => {},
  placeAddress: () => "",
  watchTheme: () => {},
  watchReload: () => {},
  watchClock: () => {},
  hasShortcuts: true,
  keepShortcuts: () => {},
  address: () => "",
  listenForKeys: () => () => undefined,
  nameFrame: () => {},
  recall: () => null,
  remember: () => {},
};

const RUN = run({ name: "half" });

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

describe("the browser's history", () => {
  /** Everything written into the address, and what goes back in it. */
  function recorded(names: readonly string[]) {
    vi.stubGlobal("fetch", async (address: string) => {
      const runs = address === "./runs" ? names.map((name) => run({ name })) : [];
      return new Response(JSON.stringify({ runs, left_out: {} }), { headers: { "Content-Type": "application/json" } });
    });
    const kept: { place: Place; isNew: boolean }[] = [];
    const back: { go: (place: Place) => void } = { go: () => {} };
    const store = createStore({
      ...HOST,
      keepPlace: (place, isNew) => kept.push({ place, isNew }),
      watchPlace: (changed) => {
        back.go = changed;
      },
    });
    const news = () => kept.filter(({ isNew }) => isNew).map(({ place }) => [place.run, place.layer]);
    return { store, kept, news, back };
  }

  const whenListed = (store: ReturnType<typeof createStore>) => vi.waitUntil(() => store.runs.value.value !== null);

  it("has an entry for each run, each layer and the table of runs", async () => {
    const { store, news } = recorded(["a", "b"]);
    await whenListed(store);
    expect(store.isLanding.value).toBe(true);
    store.openRuns(["a"]);
    store.chooseLayer("dense");
    store.chooseLayer("conv", true);
    store.pinStep(3);
    store.filterLayers("x");
    store.showAllRuns();
    expect(store.isLanding.value).toBe(true);
    expect(news()).toEqual([
      ["a", undefined],
      ["a", "dense"],
      [undefined, undefined],
    ]);
  });

  it("brings back what was shown, without a new entry", async () => {
    const { store, news, back } = recorded(["a", "b"]);
    await whenListed(store);
    back.go({ run: "b", others: ["a"], layer: "dense", step: 7, sort: "onset" });
    expect(store.run.value?.name).toBe("b");
    expect(store.others.value.map(({ name }) => name)).toEqual(["a"]);
    expect([store.pinnedStep.value, store.sort.value]).toEqual([7, "onset"]);
    back.go({});
    expect(store.isLanding.value).toBe(true);
    expect(news()).toEqual([]);
  });

  it("stays at the only run when a second one appears", async () => {
    const names = ["a"];
    const { store, news } = recorded(names);
    await whenListed(store);
    expect(store.run.value?.name).toBe("a");
    names.push("b");
    store.reload();
    await vi.waitUntil(() => store.runs.value.value?.length === 2);
    expect(store.isLanding.value).toBe(false);
    expect(store.run.value?.name).toBe("a");
    expect(news()).toEqual([]);
  });
});
