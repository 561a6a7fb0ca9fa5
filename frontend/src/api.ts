import { withUnit } from "./core/format";
import {
  decodeFrame,
  type Frame,
  type HistogramKind,
  type HistogramsHeader,
  type MatrixHeader,
  type SeriesHeader,
  type UnitsHeader,
} from "./core/frame";
import type { Findings, PictureDetails, PictureList, RunDescription, RunList } from "./core/types";

/** Why the server gave no answer. */
export type FailureKind = "newer_schema" | "not_found" | "bad_request" | "server" | "network" | "malformed";

/** An answer that could not be had; `message` is for people. */
export class ApiError extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
  }
}

const MAX_STEPS = 1000;
/** Units make an answer long; a map of units is shorter in steps. */
const MAX_UNIT_STEPS = 400;

type Parameters = Readonly<Record<string, string | number>>;

function kindOfStatus(status: number): FailureKind {
  switch (status) {
    case 400:
      return "bad_request";
    case 404:
      return "not_found";
    case 409:
      return "newer_schema";
    default:
      return "server";
  }
}

const MAX_REASON = 400;

async function reasonOf(response: Response): Promise<string> {
  const isHtml = response.headers.get("Content-Type")?.includes("html") ?? false;
  const text = isHtml ? "" : (await response.text()).trim();
  return text === "" ? `The server answered ${response.status}.` : text.slice(0, MAX_REASON);
}

/** The address stays relative: the page's base is the plugin's folder, below any path prefix. */
function addressOf(route: string, parameters: Parameters): string {
  const query = new URLSearchParams(Object.entries(parameters).map(([key, value]) => [key, String(value)]));
  return query.size === 0 ? `./${route}` : `./${route}?${query.toString()}`;
}

async function get(route: string, parameters: Parameters, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(addressOf(route, parameters), { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError("network", "TensorBoard does not answer. Is it still running?");
  }
  if (!response.ok) throw new ApiError(kindOfStatus(response.status), await reasonOf(response));
  return response;
}

async function getJson<Answer>(route: string, parameters: Parameters, signal: AbortSignal): Promise<Answer> {
  const response = await get(route, parameters, signal);
  return readable(route, async () => (await response.json()) as Answer);
}

async function getFrame<Header extends Frame["header"]>(
  route: string,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<Frame<Header>> {
  const response = await get(route, parameters, signal);
  return readable(route, async () => decodeFrame<Header>(await response.arrayBuffer()));
}

async function readable<Answer>(route: string, read: () => Promise<Answer>): Promise<Answer> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DOMException) throw error;
    throw new ApiError("malformed", `The answer to "${route}" cannot be read: ${String(error)}`);
  }
}

export function fetchRuns(signal: AbortSignal): Promise<RunList> {
  return getJson("runs", {}, signal);
}

/** Names of all runs of the log directory in the order in which TensorBoard gives out colours. */
export function fetchRunOrder(signal: AbortSignal): Promise<readonly string[]> {
  return getJson("../../runs", {}, signal);
}

export function fetchPictures(run: string, signal: AbortSignal): Promise<PictureList> {
  return getJson("pictures", { run }, signal);
}

/** Null for pictures that say nothing of themselves. */
export async function fetchPictureDetails(
  run: string,
  tag: string,
  step: number,
  signal: AbortSignal,
): Promise<PictureDetails | null> {
  const answer = await getJson<{ readonly details: PictureDetails | null }>(
    "picture_details",
    { run, tag, step },
    signal,
  );
  return answer.details;
}

/** For the browser to load by itself. */
export function pictureAddress(run: string, tag: string, step: number): string {
  return addressOf("picture", { run, tag, step });
}

export async function fetchDescription(run: string, signal: AbortSignal): Promise<RunDescription> {
  const description = await getJson<RunDescription>("layers", { run }, signal);
  return { ...description, statistics: description.statistics.map(withUnit) };
}

export function fetchFindings(run: string, signal: AbortSignal): Promise<Findings> {
  return getJson("findings", { run }, signal);
}

export function fetchMatrix(run: string, stat: string, signal: AbortSignal): Promise<Frame<MatrixHeader>> {
  return getFrame("matrix", { run, stat, max_steps: MAX_STEPS }, signal);
}

export function fetchSeries(
  run: string,
  layer: string,
  stats: readonly string[],
  signal: AbortSignal,
): Promise<Frame<SeriesHeader>> {
  return getFrame("series", { run, layer, stats: stats.join(","), max_steps: MAX_STEPS }, signal);
}

export function fetchStepSeries(
  run: string,
  stats: readonly string[],
  signal: AbortSignal,
): Promise<Frame<SeriesHeader>> {
  return getFrame("series", { run, stats: stats.join(","), max_steps: MAX_STEPS }, signal);
}

export function fetchUnits(run: string, layer: string, signal: AbortSignal): Promise<Frame<UnitsHeader>> {
  return getFrame("units", { run, layer, max_steps: MAX_UNIT_STEPS }, signal);
}

export function fetchHistograms(
  run: string,
  layer: string,
  kind: HistogramKind,
  signal: AbortSignal,
): Promise<Frame<HistogramsHeader>> {
  return getFrame("histograms", { run, layer, kind, max_steps: MAX_STEPS }, signal);
}
