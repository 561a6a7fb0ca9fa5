import { ApiError } from "./core/failures";
import { withUnit } from "./core/format";
import {
  decodeFrame,
  type Frame,
  type HistogramKind,
  type HistogramsHeader,
  type MatrixHeader,
  type SequencesHeader,
  type SeriesHeader,
  type UnitsHeader,
} from "./core/frame";
import type {
  ErrorAnswer,
  Findings,
  Judgement,
  PictureDetails,
  PictureDetailsAnswer,
  PictureList,
  RunDescription,
  RunList,
} from "./core/types";

const MAX_STEPS = 1000;
/** Fewer, because an answer holds one number per unit and step. */
const MAX_UNIT_STEPS = 400;

type Parameters = Readonly<Record<string, string | number>>;

const MAX_REASON = 400;

/** The plugin's own errors are JSON with a kind; those of TensorBoard or a proxy are plain text or HTML. */
async function failureOf(response: Response): Promise<ApiError> {
  const type = response.headers.get("Content-Type") ?? "";
  const text = (await response.text()).trim();
  if (type.includes("application/json")) {
    const { error, kind } = JSON.parse(text) as ErrorAnswer;
    return new ApiError(kind, error.slice(0, MAX_REASON));
  }
  const isReadable = text !== "" && !type.includes("html");
  return new ApiError("server", isReadable ? text.slice(0, MAX_REASON) : `The server returned ${response.status}.`);
}

/** The address is relative: the base of the page is the plugin's folder, below any path prefix. */
function addressOf(route: string, parameters: Parameters): string {
  const query = new URLSearchParams(Object.entries(parameters).map(([key, value]) => [key, String(value)]));
  return query.size === 0 ? `./${route}` : `./${route}?${query.toString()}`;
}

async function get(route: string, parameters: Parameters, options: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(addressOf(route, parameters), options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError("network", "TensorBoard does not respond. Is it still running?");
  }
  if (!response.ok) throw await readable(route, () => failureOf(response));
  return response;
}

async function getJson<Answer>(route: string, parameters: Parameters, signal: AbortSignal): Promise<Answer> {
  const response = await get(route, parameters, { signal });
  return readable(route, async () => (await response.json()) as Answer);
}

async function getFrame<Header extends Frame["header"]>(
  route: string,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<Frame<Header>> {
  const response = await get(route, parameters, { signal });
  return readable(route, async () => decodeFrame<Header>(await response.arrayBuffer()));
}

async function readable<Answer>(route: string, read: () => Promise<Answer>): Promise<Answer> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DOMException) throw error;
    throw new ApiError("malformed", `Cannot read the answer to "${route}": ${String(error)}`);
  }
}

export function fetchRuns(signal: AbortSignal): Promise<RunList> {
  return getJson("runs", {}, signal);
}

/** Names of all runs in the log directory, in the order in which TensorBoard assigns colors. */
export function fetchRunOrder(signal: AbortSignal): Promise<readonly string[]> {
  return getJson("../../runs", {}, signal);
}

export function fetchPictures(run: string, signal: AbortSignal): Promise<PictureList> {
  return getJson("pictures", { run }, signal);
}

/** Null for pictures without details. */
export async function fetchPictureDetails(
  run: string,
  tag: string,
  step: number,
  signal: AbortSignal,
): Promise<PictureDetails | null> {
  const answer = await getJson<PictureDetailsAnswer>("picture_details", { run, tag, step }, signal);
  return answer.details;
}

/** For an `img` element. */
export function pictureAddress(run: string, tag: string, step: number): string {
  return addressOf("picture", { run, tag, step });
}

/** For a link that downloads. */
export function reportAddress(run: string): string {
  return addressOf("report", { run });
}

/** @param muted the mutes that this browser keeps, as JSON; the server has its own as well. */
export async function fetchDescription(run: string, muted: string, signal: AbortSignal): Promise<RunDescription> {
  const description = await getJson<RunDescription>("run", withMuted({ run }, muted), signal);
  return { ...description, statistics: description.statistics.map(withUnit) };
}

export function fetchFindings(run: string, muted: string, signal: AbortSignal): Promise<Findings> {
  return getJson("findings", withMuted({ run }, muted), signal);
}

/** @param rules as in a rules file. */
export function fetchJudgement(run: string, rules: string, muted: string, signal: AbortSignal): Promise<Judgement> {
  return getJson("judge", withMuted({ run, rules }, muted), signal);
}

/** Mutes open findings next to the run; a note of null unmutes them. */
export async function postMute(
  run: string,
  findings: readonly { readonly rule: string; readonly layer: string }[],
  note: string | null,
): Promise<void> {
  const body = JSON.stringify({ findings: findings.map(({ rule, layer }) => ({ rule, layer })), note });
  await get("mute", { run }, { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

function withMuted(parameters: Parameters, muted: string): Parameters {
  return muted === "" ? parameters : { ...parameters, muted };
}

/** @param muted only for health. */
export function fetchMatrix(run: string, stat: string, signal: AbortSignal, muted = ""): Promise<Frame<MatrixHeader>> {
  return getFrame("matrix", withMuted({ run, stat, max_steps: MAX_STEPS }, muted), signal);
}

/** Metrics at the ends of epochs. */
export function fetchEpochs(run: string, signal: AbortSignal): Promise<Frame<SeriesHeader>> {
  return getFrame("epochs", { run, max_steps: MAX_STEPS }, signal);
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

export function fetchSequences(run: string, layer: string, signal: AbortSignal): Promise<Frame<SequencesHeader>> {
  return getFrame("sequences", { run, layer, max_steps: MAX_STEPS }, signal);
}
