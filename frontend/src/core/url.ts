/** What a link to this page keeps; undefined means the default, which is left out of the address. */
export interface Place {
  readonly run?: string | undefined;
  readonly layer?: string | undefined;
  readonly stat?: string | undefined;
  readonly step?: number | undefined;
  readonly sort?: "model" | undefined;
  readonly series?: readonly string[] | undefined;
  readonly depth?: string | undefined;
  readonly kind?: "gradient" | undefined;
}

const PLUGIN = "layer_health";
const PREFIX = `p.${PLUGIN}.`;

/** The parts of a location hash after "#": the tab's name, then key=value. Keys of others are kept as they are. */
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

/** Reads this page's keys; a key that cannot be read counts as absent. */
export function readPlace(hash: string): Place {
  const values = new Map<string, string>();
  for (const part of parts(hash)) {
    const split = part.indexOf("=");
    const key = decode(part.slice(0, split));
    const value = decode(part.slice(split + 1));
    if (split > 0 && key?.startsWith(PREFIX) && value) values.set(key.slice(PREFIX.length), value);
  }
  const step = values.get("step");
  return {
    run: values.get("run"),
    layer: values.get("layer"),
    stat: values.get("stat"),
    step: step !== undefined && /^\d{1,15}$/.test(step) ? Number(step) : undefined,
    sort: values.get("sort") === "model" ? "model" : undefined,
    series: values.get("series")?.split(","),
    depth: values.get("depth"),
    kind: values.get("kind") === "gradient" ? "gradient" : undefined,
  };
}

/** The hash with this page's keys replaced; everything else stays, in its order. */
export function writePlace(hash: string, place: Place): string {
  const others = parts(hash).filter((part) => !decode(part)?.startsWith(PREFIX));
  if (others.length === 0) others.push(PLUGIN);
  const own = Object.entries(place)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${PREFIX}${key}=${encodeURIComponent(String(value))}`);
  return `#${[...others, ...own].join("&")}`;
}

/** Whether the address shows this tab; an empty hash is the first active tab, which may be this one. */
export function isOwnHash(hash: string): boolean {
  const first = parts(hash)[0];
  return first === undefined || first === PLUGIN;
}
