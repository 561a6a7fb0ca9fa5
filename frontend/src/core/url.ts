import type { StepWindow } from "./axis";
import type { ScaleKind } from "./types";

/** The state kept in the address; undefined means the default, which the address omits. */
export interface Place {
  readonly run?: string | undefined;
  readonly others?: readonly string[] | undefined;
  readonly layer?: string | undefined;
  readonly stat?: string | undefined;
  readonly scale?: ScaleKind | undefined;
  readonly step?: number | undefined;
  readonly sort?: "model" | "onset" | undefined;
  readonly series?: readonly string[] | undefined;
  readonly depth?: string | undefined;
  readonly kind?: "gradient" | undefined;
  readonly picture?: string | undefined;
  readonly x?: "epoch" | "time" | undefined;
  /** As `writeCurve` writes it. */
  readonly curve?: string | undefined;
  readonly zoom?: StepWindow | undefined;
  readonly filter?: string | undefined;
  readonly flag?: string | undefined;
  readonly folded?: readonly string[] | undefined;
  /** Regular expression and order of the table of runs. */
  readonly runs?: string | undefined;
  readonly order?: string | undefined;
}

const PLUGIN = "layer_health";
const PREFIX = `p.${PLUGIN}.`;

/** The parts of a location hash after "#": the name of the tab, then key=value. Keys of other tabs are kept. */
function parts(hash: string): string[] {
  return hash
    .replace(/^#/, "")
    .split("&")
    .filter((part) => part !== "");
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Decoded values of a hash by key; malformed parts count as absent. */
export function hashValues(hash: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const part of parts(hash)) {
    const split = part.indexOf("=");
    const key = decode(part.slice(0, split));
    const value = decode(part.slice(split + 1));
    if (split > 0 && key !== undefined && value) values.set(key, value);
  }
  return values;
}

/** Reads the keys of this page; malformed ones count as absent. */
export function readPlace(hash: string): Place {
  const all = hashValues(hash);
  const get = (key: string) => all.get(PREFIX + key);
  const step = get("step");
  return {
    run: get("run"),
    others: readNames(get("others")),
    layer: get("layer"),
    stat: get("stat"),
    scale: oneOf(get("scale"), ["linear", "log", "symlog"] as const),
    step: step !== undefined && /^\d{1,15}$/.test(step) ? Number(step) : undefined,
    sort: oneOf(get("sort"), ["model", "onset"] as const),
    series: get("series")?.split(","),
    depth: get("depth"),
    kind: oneOf(get("kind"), ["gradient"] as const),
    picture: get("picture"),
    x: oneOf(get("x"), ["epoch", "time"] as const),
    curve: get("curve"),
    zoom: readWindow(get("zoom")),
    filter: get("filter"),
    flag: get("flag"),
    folded: readNames(get("folded")),
    runs: get("runs"),
    order: get("order"),
  };
}

/** The hash with the keys of this page replaced; everything else keeps its order. */
export function writePlace(hash: string, place: Place): string {
  const others = parts(hash).filter((part) => !decode(part)?.startsWith(PREFIX));
  if (others.length === 0) others.push(PLUGIN);
  const texts = {
    ...place,
    others: writeNames(place.others),
    folded: writeNames(place.folded),
    zoom: place.zoom && `${place.zoom.from.toFixed(1)}~${place.zoom.to.toFixed(1)}`,
  };
  const own = Object.entries(texts)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${PREFIX}${key}=${encodeURIComponent(String(value))}`);
  return `#${[...others, ...own].join("&")}`;
}

function oneOf<Value extends string>(text: string | undefined, allowed: readonly Value[]): Value | undefined {
  return allowed.find((value) => value === text);
}

/** Names may contain commas; a single comma encodes an empty list. */
function writeNames(names: readonly string[] | undefined): string | undefined {
  if (names === undefined) return undefined;
  return names.length === 0 ? NO_NAMES : names.map(encodeURIComponent).join(",");
}

const NO_NAMES = ",";

function readNames(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  if (text === NO_NAMES) return [];
  return text.split(",").flatMap((name) => decode(name) ?? []);
}

function readWindow(text: string | undefined): StepWindow | undefined {
  const [, from, to] = /^(-?\d{1,15}(?:\.\d)?)~(-?\d{1,15}(?:\.\d)?)$/.exec(text ?? "") ?? [];
  return from !== undefined && to !== undefined && Number(from) < Number(to)
    ? { from: Number(from), to: Number(to) }
    : undefined;
}

/** Whether the address shows this tab; an empty hash means the first active tab, which may be this one. */
export function isOwnHash(hash: string): boolean {
  const first = parts(hash)[0];
  return first === undefined || first === PLUGIN;
}
