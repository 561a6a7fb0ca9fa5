import type { Theme } from "./core/color";
import type { HostSelection } from "./core/runs";
import { hashValues, isOwnHash, type Place, readPlace, writePlace } from "./core/url";

/**
 * TensorBoard around the page. The page runs in an iframe of the same origin. If the surrounding document is not
 * accessible (other embeddings), the page uses its own window instead.
 */
export interface Host {
  readonly place: Place;
  /** The selection in TensorBoard's own tabs, as far as the address holds it. */
  readonly selection: HostSelection;
  /** Address of one of TensorBoard's own tabs, filtered by tag; to be opened in the surrounding page. */
  stockAddress(tab: string, tagPattern: string): string;
  /** Opens such an address. A link of this page could not in a sandboxed frame, which may not lead the page around it. */
  openStock(address: string): void;
  /** Writes the place into the address: as a new entry of the browser's history, or in place of the last one. */
  keepPlace(place: Place, isNewEntry: boolean): void;
  /** Calls back with the place when the user goes back or forward in the browser's history. */
  watchPlace(changed: (place: Place) => void): void;
  /** Address of a place of this page, for a link. */
  placeAddress(place: Place): string;
  /** Calls back with the theme now and on every change. */
  watchTheme(changed: (theme: Theme) => void): void;
  /** Calls back when the user reloads TensorBoard; deferred while the tab is hidden. */
  watchReload(reload: () => void): void;
  /** Calls back with the time in seconds since the epoch, now and every second while the tab is visible. */
  watchClock(changed: (now: number) => void): void;
  /** Whether single-key shortcuts are enabled; stored in this browser. */
  readonly hasShortcuts: boolean;
  keepShortcuts(isOn: boolean): void;
  /** What `remember` kept in this browser under this name; null if nothing. */
  recall(name: string): string | null;
  remember(name: string, text: string): void;
  /** The address of what is shown, for other people. */
  address(): string;
  /** Calls back with keys pressed here or anywhere in the surrounding page, unless the tab is hidden; returns a cleanup. */
  listenForKeys(pressed: (event: KeyboardEvent) => void): () => void;
  /** Names the frame for screen readers. */
  nameFrame(title: string): void;
}

function reachableWindow(): Window {
  try {
    // Reading a property throws if the parent has another origin.
    void window.parent.document.body;
    return window.parent;
  } catch (error) {
    if (error instanceof DOMException) return window;
    throw error;
  }
}

export function connectHost(): Host {
  const outer = reachableWindow();
  return {
    place: readPlace(outer.location.hash),
    selection: readSelection(outer.location),
    stockAddress: (tab, tagPattern) => {
      const { pathname, search } = outer.location;
      return `${pathname}${search}#${tab}&tagFilter=${encodeURIComponent(tagPattern)}`;
    },
    openStock: (address) => {
      const link = outer.document.createElement("a");
      link.href = address;
      link.click();
    },
    keepPlace: (place, isNewEntry) => keepPlace(outer, place, isNewEntry),
    watchPlace: (changed) => {
      outer.addEventListener("popstate", () => {
        if (isOwnHash(outer.location.hash)) changed(readPlace(outer.location.hash));
      });
    },
    placeAddress: (place) => {
      const { pathname, search, hash } = outer.location;
      return `${pathname}${search}${writePlace(hash, place)}`;
    },
    watchTheme: (changed) => watchTheme(outer, changed),
    watchReload,
    watchClock,
    hasShortcuts: withStorage((storage) => storage.getItem(SHORTCUTS_KEY)) !== OFF,
    keepShortcuts: (isOn) => {
      withStorage((storage) => (isOn ? storage.removeItem(SHORTCUTS_KEY) : storage.setItem(SHORTCUTS_KEY, OFF)));
    },
    recall: (name) => withStorage((storage) => storage.getItem(MEMORY_PREFIX + name)),
    remember: (name, text) => {
      withStorage((storage) => storage.setItem(MEMORY_PREFIX + name, text));
    },
    address: () => outer.location.href,
    listenForKeys: (pressed) => listenForKeys(outer, pressed),
    nameFrame: (title) => {
      if (outer !== window && window.frameElement !== null) window.frameElement.setAttribute("title", title);
    },
  };
}

/** The Time Series tab keeps its pattern in the query; older tabs keep pattern and check marks in the hash. */
function readSelection({ search, hash }: Location): HostSelection {
  const values = hashValues(hash);
  return {
    pattern: new URLSearchParams(search).get("runFilter") ?? values.get("regexInput") ?? "",
    ticked: readTicks(values.get("runSelectionState")),
  };
}

/** TensorBoard writes base64-encoded JSON; anything else counts as no selection. */
function readTicks(text: string | undefined): Readonly<Record<string, boolean>> {
  if (text === undefined) return {};
  try {
    const ticks: unknown = JSON.parse(atob(text));
    return typeof ticks === "object" && ticks !== null ? (ticks as Record<string, boolean>) : {};
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof DOMException) return {};
    throw error;
  }
}

const SHORTCUTS_KEY = "layer_health.shortcuts";
const OFF = "off";
const MEMORY_PREFIX = "layer_health.";

/** Null if the browser stores nothing, as in a private window; a choice then lasts until the page is closed. */
function withStorage<Value>(use: (storage: Storage) => Value): Value | null {
  try {
    return use(window.localStorage);
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function keepPlace(outer: Window, place: Place, isNewEntry: boolean): void {
  const { pathname, search, hash } = outer.location;
  if (!isOwnHash(hash)) return;
  const kept = writePlace(hash, place);
  if (kept === hash) return;
  const address = `${pathname}${search}${kept}`;
  if (isNewEntry) outer.history.pushState(outer.history.state, "", address);
  else outer.history.replaceState(outer.history.state, "", address);
}

/** The surrounding page has the focus until someone clicks into the frame. */
function listenForKeys(outer: Window, pressed: (event: KeyboardEvent) => void): () => void {
  const listening = new AbortController();
  const report = (event: KeyboardEvent) => {
    if (window.innerHeight > 0) pressed(event);
  };
  for (const page of new Set([window.document, outer.document])) {
    page.addEventListener("keydown", report, { signal: listening.signal });
  }
  return () => listening.abort();
}

function watchClock(changed: (now: number) => void): void {
  const report = () => changed(Date.now() / 1000);
  window.setInterval(() => window.innerHeight > 0 && report(), 1000);
  report();
}

function watchTheme(outer: Window, changed: (theme: Theme) => void): void {
  const preference = window.matchMedia("(prefers-color-scheme: dark)");
  const body = outer.document.body;
  const report = () => {
    const isDark = outer === window ? preference.matches : body.classList.contains("dark-mode");
    changed(isDark ? "dark" : "light");
  };
  new MutationObserver(report).observe(body, { attributes: true, attributeFilter: ["class"] });
  preference.addEventListener("change", report);
  report();
}

interface HostMessage {
  readonly type: string;
  readonly id: number;
  readonly isReply: boolean;
}

function readMessage(data: unknown): HostMessage | null {
  if (typeof data !== "string") return null;
  const message: unknown = JSON.parse(data);
  return typeof message === "object" && message !== null && "type" in message ? (message as HostMessage) : null;
}

function watchReload(reload: () => void): void {
  const whenVisible = visibleOnly(reload);
  const channel = new MessageChannel();
  channel.port1.onmessage = (event: MessageEvent<unknown>) => {
    const message = readMessage(event.data);
    if (message === null || message.isReply) return;
    // The host keeps an entry for each message until it gets a reply.
    channel.port1.postMessage(
      JSON.stringify({ type: message.type, id: message.id, payload: null, error: null, isReply: true }),
    );
    if (message.type === "experimental.DataReloaded") whenVisible();
  };
  window.parent.postMessage("experimental.bootstrap", "*", [channel.port2]);
}

/** A hidden tab has no height; a deferred action runs once when the tab is shown again. */
function visibleOnly(action: () => void): () => void {
  let isWaiting = false;
  window.addEventListener("resize", () => {
    if (!isWaiting || window.innerHeight === 0) return;
    isWaiting = false;
    action();
  });
  return () => {
    if (window.innerHeight === 0) isWaiting = true;
    else action();
  };
}
