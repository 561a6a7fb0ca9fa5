import { computed, effect, type ReadonlySignal, signal, untracked } from "@preact/signals";
import {
  fetchDescription,
  fetchEpochs,
  fetchFindings,
  fetchHistograms,
  fetchMatrix,
  fetchPictureDetails,
  fetchPictures,
  fetchRunOrder,
  fetchRuns,
  fetchSequences,
  fetchSeries,
  fetchStepSeries,
  fetchUnits,
} from "../api";
import { queryOf, withNotes } from "../core/browser_mutes";
import { evidenceOf } from "../core/evidence";
import type { Frame, HistogramsHeader, MatrixHeader, SequencesHeader, SeriesHeader, UnitsHeader } from "../core/frame";
import { withUnobserved } from "../core/judged";
import { offeredPictures, shownPicture } from "../core/pictures";
import { relevantStatistics } from "../core/points";
import { callsOf, openFindings } from "../core/ranking";
import { type RootCause, rootCause } from "../core/root_cause";
import { pickOthers, pickRun, selectedRuns } from "../core/runs";
import { indexOfStep } from "../core/scale";
import type {
  Findings,
  Layer,
  LeftOut,
  Picture,
  PictureDetails,
  PictureList,
  Run,
  RunDescription,
  RunList,
} from "../core/types";
import type { Host } from "../host";
import { type ByRun, eachRun } from "./by_run";
import { type Choices, HEALTH } from "./choices";
import type { Muting } from "./muting";
import { pollWhileFresh } from "./polling";
import { type Loaded, resource, stable } from "./resource";

/** Statistics of the training itself that are shown. */
export const TRAINING_STATISTICS: readonly string[] = [
  "loss",
  "learning_rate",
  "first_learning_rate",
  "reconstruction_error",
];
/** For the horizontal axis and for the step at the cursor. */
const ABOUT_STEPS: readonly string[] = ["epoch", "samples"];

/** The server's answers for the current choices. */
export interface Answers {
  readonly runs: ReadonlySignal<Loaded<readonly Run[]>>;
  /** Whether the table of runs is shown instead of one run. */
  readonly isLanding: ReadonlySignal<boolean>;
  /** Names of the runs that TensorBoard's own tabs show; null for all. */
  readonly selected: ReadonlySignal<readonly string[] | null>;
  /** All runs of the log directory in TensorBoard's order. */
  readonly runNames: ReadonlySignal<Loaded<readonly string[]>>;
  readonly run: ReadonlySignal<Run | null>;
  /** The runs compared with it. */
  readonly others: ReadonlySignal<readonly Run[]>;
  readonly layer: ReadonlySignal<Layer | null>;
  readonly stat: ReadonlySignal<string>;
  readonly depthStat: ReadonlySignal<string>;
  readonly seriesStats: ReadonlySignal<readonly string[]>;
  readonly description: ReadonlySignal<Loaded<RunDescription>>;
  readonly findings: ReadonlySignal<Loaded<Findings>>;
  /** Health of all layers at all steps. */
  readonly health: ReadonlySignal<Loaded<Frame<MatrixHeader>>>;
  /** The statistic of the matrix; empty while it shows health. */
  readonly matrix: ReadonlySignal<Loaded<Frame<MatrixHeader>>>;
  /** The statistic in the depth profile. */
  readonly depth: ReadonlySignal<Loaded<Frame<MatrixHeader>>>;
  readonly histograms: ReadonlySignal<Loaded<Frame<HistogramsHeader>>>;
  /** The chosen cell or recurrent layer over time; without steps for layers that have no time. */
  readonly sequences: ReadonlySignal<Loaded<Frame<SequencesHeader>>>;
  readonly series: ReadonlySignal<Loaded<Frame<SeriesHeader>>>;
  /** What to start with; null if nothing needs attention. */
  readonly rootCause: ReadonlySignal<RootCause | null>;
  /** The statistics that show it; empty if it concerns no layer. */
  readonly rootSeries: ReadonlySignal<Loaded<Frame<SeriesHeader>>>;
  /** The same for the single calls of a shared layer, by the name of the call. */
  readonly callSeries: ReadonlySignal<Loaded<ByRun<Frame<SeriesHeader>>>>;
  readonly training: ReadonlySignal<Loaded<Frame<SeriesHeader>>>;
  /** Metrics at the ends of epochs. */
  readonly epochs: ReadonlySignal<Loaded<Frame<SeriesHeader>>>;
  readonly units: ReadonlySignal<Loaded<Frame<UnitsHeader>>>;
  readonly pictures: ReadonlySignal<Loaded<PictureList>>;
  /** The pictures to choose from for the chosen layer. */
  readonly offered: ReadonlySignal<readonly Picture[]>;
  readonly shownPicture: ReadonlySignal<Picture | null>;
  readonly pictureDetails: ReadonlySignal<Loaded<PictureDetails | null>>;
  /** From the answers about the shown run and from the list of runs. */
  readonly leftOut: ReadonlySignal<readonly LeftOut[]>;
  readonly otherFindings: ReadonlySignal<Loaded<ByRun<Findings>>>;
  readonly otherHealths: ReadonlySignal<Loaded<ByRun<Frame<MatrixHeader>>>>;
  readonly otherDepths: ReadonlySignal<Loaded<ByRun<Frame<MatrixHeader>>>>;
  readonly otherSeries: ReadonlySignal<Loaded<ByRun<Frame<SeriesHeader>>>>;
  readonly otherTrainings: ReadonlySignal<Loaded<ByRun<Frame<SeriesHeader>>>>;
  readonly otherEpochs: ReadonlySignal<Loaded<ByRun<Frame<SeriesHeader>>>>;
}

interface ListedRuns extends RunList {
  /** Number of the reload that it answers. */
  readonly reload: number;
}

export function createAnswers(
  host: Host,
  choices: Choices,
  reloads: ReadonlySignal<number>,
  now: ReadonlySignal<number>,
  muting: Muting,
): Answers {
  const polls = signal(0);
  const listed = resource<string, ListedRuns>(
    signal("runs"),
    computed(() => reloads.value + polls.value),
    async (_, abort) => {
      const reload = reloads.peek();
      return { ...(await fetchRuns(abort)), reload };
    },
  );
  const runs = computed(() => ({ ...listed.value, value: listed.value.value?.runs ?? null }));
  const known = computed(() => listed.value.value?.runs ?? []);
  const selected = computed(() => selectedRuns(known.value, host.selection));
  const isLanding = computed(() => known.value.length > 1 && choices.run.value === undefined);
  const run = computed(() => (isLanding.value ? null : pickRun(known.value, choices.run.value, selected.value)));
  const others = computed(() => pickOthers(known.value, run.value, choices.others.value ?? []));
  const newest = computed(
    () =>
      run.value ?? known.value.reduce<Run | null>((a, b) => (a !== null && a.last_time >= b.last_time ? a : b), null),
  );
  // A second run must not take the page away from the one that is read.
  effect(() => {
    const [only, ...more] = known.value;
    if (only === undefined || more.length > 0 || choices.run.peek() !== undefined) return;
    choices.isPassing.value = true;
    choices.run.value = only.name;
  });
  const runName = computed(() => (run.value?.readable === true ? run.value.name : null));
  const otherNames = stable(computed(() => others.value.map(({ name }) => name)));
  pollWhileFresh(newest, now, () => {
    polls.value = polls.peek() + 1;
  });

  // Changes on reload and when a shown run has grown, but not with every poll.
  const refresh = computed(() => {
    const shown = [run.value, ...others.value].map((each) => [each?.records, each?.last_time]);
    return JSON.stringify([listed.value.value?.reload, shown]);
  });
  const ofRun = <Key extends object, Value>(
    keyOf: (name: string) => Key | null,
    load: (key: Key, abort: AbortSignal) => Promise<Value>,
    subjectOf?: (key: Key) => unknown,
  ) => {
    const key = stable(computed(() => (runName.value === null ? null : keyOf(runName.value))));
    return resource(key, refresh, load, subjectOf);
  };
  const ofOthers = <Key extends object, Value>(
    keyOf: () => Key | null,
    load: (run: string, key: Key, abort: AbortSignal) => Promise<Value>,
    isAsked: (run: string) => boolean = () => true,
  ) =>
    ofRun(
      () => {
        const names = (otherNames.value ?? []).filter(isAsked);
        const key = names.length === 0 ? null : keyOf();
        return key === null ? null : { names, key };
      },
      ({ names, key }, abort) => eachRun(names, (name) => load(name, key, abort)),
      // Adding a run keeps the answers for the others.
      ({ key }) => key,
    );

  const mutesOf = (name: string) => {
    const known = runs.value.value?.find((each) => each.name === name);
    return known === undefined ? [] : muting.browserMutesOf(known);
  };
  const withMutes = (name: string) => ({ name, muted: queryOf(mutesOf(name)) });
  const description = ofRun(
    withMutes,
    ({ name, muted }, abort) => fetchDescription(name, muted, abort),
    ({ name }) => name,
  );
  const findings = ofRun(
    withMutes,
    async ({ name, muted }, abort) => {
      const answer = await fetchFindings(name, muted, abort);
      return {
        ...answer,
        findings: withNotes(
          answer.findings,
          untracked(() => mutesOf(name)),
        ),
      };
    },
    ({ name }) => name,
  );
  const statistics = computed(() => description.value.value?.statistics.map(({ id }) => id) ?? []);
  const layer = computed(() =>
    pickLayer(description.value.value, findings.value.value, findings.value.isLoading, choices.layer.value),
  );
  const stat = computed(() => {
    const { value } = choices.stat;
    return value === HEALTH || description.value.value === null || statistics.value.includes(value) ? value : HEALTH;
  });
  const sentHealth = ofRun(
    withMutes,
    ({ name, muted }, abort) => fetchMatrix(name, HEALTH, abort, muted),
    ({ name }) => name,
  );
  const health = computed(() => {
    const { value, ...rest } = sentHealth.value;
    return { ...rest, value: value && withUnobserved(value, description.value.value?.layers ?? []) };
  });
  const matrix = ofRun(
    (name) => (stat.value === HEALTH ? null : { name, id: stat.value }),
    ({ name, id }, abort) => fetchMatrix(name, id, abort),
  );

  const depthStat = computed(() => {
    const { value } = choices.depth;
    return statistics.value.includes(value) ? value : (statistics.value[0] ?? value);
  });
  const depth = ofRun(
    (name) => (statistics.value.length === 0 ? null : { name, id: depthStat.value }),
    ({ name, id }, abort) => fetchMatrix(name, id, abort),
  );
  const otherDepths = ofOthers(
    () => (statistics.value.length === 0 ? null : { id: depthStat.value }),
    (name, { id }, abort) => fetchMatrix(name, id, abort),
  );

  const seriesStats = computed(() => {
    const chosen = choices.series.value?.filter((id) => statistics.value.includes(id)) ?? [];
    if (chosen.length > 0) return chosen;
    const worst = openFindings(findings.value.value?.findings ?? [], layer.value?.name ?? "")[0];
    return relevantStatistics(worst?.rule, statistics.value);
  });
  const seriesKey = () =>
    layer.value === null || seriesStats.value.length === 0
      ? null
      : { layer: layer.value.name, stats: seriesStats.value };
  const series = ofRun(
    (name) => {
      const key = seriesKey();
      return key === null ? null : { name, ...key };
    },
    (key, abort) => fetchSeries(key.name, key.layer, key.stats, abort),
  );
  const callSeries = ofRun(
    (name) => {
      const key = seriesKey();
      const calls = layer.value === null ? [] : callsOf(layer.value, description.value.value?.layers ?? []);
      return key === null || calls.length === 0 ? null : { name, ...key, calls };
    },
    ({ name, stats, calls }, abort) => eachRun(calls, (call) => fetchSeries(name, call, stats, abort)),
  );
  const otherSeries = ofOthers(
    seriesKey,
    (name, key, abort) => fetchSeries(name, key.layer, key.stats, abort),
    (name) => otherDepths.value.value?.get(name)?.header.layers.includes(layer.value?.name ?? "") === true,
  );

  const cause = computed(() => rootCause(findings.value.value?.findings ?? []));
  const rootSeries = ofRun(
    (name) => {
      const root = cause.value?.finding;
      const evidence = root === undefined ? null : evidenceOf(root);
      const isKnown = description.value.value?.layers.some((each) => each.name === root?.layer) === true;
      if (root === undefined || evidence?.isOfLayer !== true || !isKnown) return null;
      return { name, layer: root.layer, stats: [evidence.statistic] };
    },
    (key, abort) => fetchSeries(key.name, key.layer, key.stats, abort),
  );

  const trainingKey = () => {
    const recorded = description.value.value?.step_statistics.map(({ id }) => id) ?? [];
    const stats = [...TRAINING_STATISTICS, ...ABOUT_STEPS].filter((id) => recorded.includes(id));
    return stats.length === 0 ? null : { stats };
  };
  const training = ofRun(
    (name) => {
      const key = trainingKey();
      return key === null ? null : { name, ...key };
    },
    (key, abort) => fetchStepSeries(key.name, key.stats, abort),
  );
  const otherTrainings = ofOthers(trainingKey, (name, { stats }, abort) => fetchStepSeries(name, stats, abort));

  // Last, because one of TensorBoard's loaders reads the whole event file to list pictures.
  const pictures = ofRun(
    (name) => (description.value.value === null ? null : { name }),
    ({ name }, abort) => fetchPictures(name, abort),
  );
  const offered = computed(() => {
    const layers = description.value.value?.layers.map(({ name }) => name) ?? [];
    return offeredPictures(pictures.value.value?.pictures ?? [], layer.value?.name ?? "", layers);
  });
  const units = ofRun(
    (name) => (layer.value === null || layer.value.units === 0 ? null : { name, layer: layer.value.name }),
    (key, abort) => fetchUnits(key.name, key.layer, abort),
  );
  const leftOut = computed(() =>
    [listed, description, findings, pictures]
      .map(({ value }) => value.value?.left_out ?? {})
      .concat(units.value.value?.header.left_out ?? {}),
  );
  const shown = computed(() => shownPicture(offered.value, choices.picture.value));

  return {
    runs,
    isLanding,
    selected,
    runNames: resource(
      signal("order"),
      computed(() => listed.value.value?.reload ?? 0),
      (_, abort) => fetchRunOrder(abort),
    ),
    run,
    others,
    layer,
    stat,
    depthStat,
    seriesStats,
    description,
    findings,
    health,
    matrix,
    depth,
    series,
    rootCause: cause,
    rootSeries,
    callSeries,
    training,
    epochs: ofRun(
      (name) => ({ name }),
      ({ name }, abort) => fetchEpochs(name, abort),
    ),
    units,
    histograms: ofRun(
      (name) =>
        layer.value === null || layer.value.not_observed !== ""
          ? null
          : { name, layer: layer.value.name, kind: choices.histogramKind.value },
      (key, abort) => fetchHistograms(key.name, key.layer, key.kind, abort),
    ),
    sequences: ofRun(
      (name) => {
        const chosen = layer.value;
        const isRecurrent = description.value.value?.layers.some(({ part_of }) => part_of === chosen?.name);
        return chosen === null || !(isRecurrent || chosen.part_of) ? null : { name, layer: chosen.name };
      },
      (key, abort) => fetchSequences(key.name, key.layer, abort),
    ),
    pictures,
    offered,
    leftOut,
    shownPicture: shown,
    pictureDetails: ofRun(
      (name) => {
        const steps = shown.value?.steps ?? [];
        const step = steps[indexOfStep(steps, choices.cursor.value ?? Number.POSITIVE_INFINITY)];
        return shown.value === null || step === undefined ? null : { name, tag: shown.value.tag, step };
      },
      ({ name, tag, step }, abort) => fetchPictureDetails(name, tag, step, abort),
    ),
    otherFindings: ofOthers(
      () => ({}),
      (name, _, abort) => fetchFindings(name, queryOf(untracked(() => mutesOf(name))), abort),
    ),
    otherHealths: ofOthers(
      () => ({}),
      (name, _, abort) => fetchMatrix(name, HEALTH, abort, queryOf(untracked(() => mutesOf(name)))),
    ),
    otherDepths,
    otherSeries,
    otherTrainings,
    otherEpochs: ofOthers(
      () => ({}),
      (name, _, abort) => fetchEpochs(name, abort),
    ),
  };
}

/** The requested layer; else the one in the verdict; else the first. */
function pickLayer(
  description: RunDescription | null,
  findings: Findings | null,
  isLoading: boolean,
  name: string | undefined,
): Layer | null {
  if (description === null) return null;
  const byName = (wanted: string | null | undefined) => description.layers.find((layer) => layer.name === wanted);
  const asked = byName(name);
  if (asked !== undefined) return asked;
  if (findings === null && isLoading) return null;
  return byName(findings?.verdict.layer) ?? description.layers[0] ?? null;
}
