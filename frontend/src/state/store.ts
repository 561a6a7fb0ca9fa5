import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import {
  fetchDescription,
  fetchFindings,
  fetchHistograms,
  fetchMatrix,
  fetchRuns,
  fetchSeries,
  fetchStepSeries,
  fetchUnits,
} from "../api";
import type { Theme } from "../core/colour";
import type { Frame, HistogramKind, HistogramsHeader, MatrixHeader, SeriesHeader, UnitsHeader } from "../core/frame";
import { tellingStatistics } from "../core/points";
import { openFindings, type SortOrder } from "../core/ranking";
import type { Finding, Findings, Layer, Run, RunDescription } from "../core/types";
import type { Host } from "../host";
import { type Loaded, resource } from "./resource";

export const HEALTH = "health";
const DEFAULT_DEPTH = "gradient_norm";

/** Statistics of the training itself that are drawn; the rest of them is for the table. */
const TRAINING_STATISTICS = ["loss", "learning_rate"];

/** The state all panels share: what was chosen, and what the server told about it. */
export interface Store {
  readonly theme: ReadonlySignal<Theme>;
  /** Seconds since the epoch. */
  readonly now: ReadonlySignal<number>;
  readonly runs: ReadonlySignal<Loaded<readonly Run[]>>;
  readonly description: ReadonlySignal<Loaded<RunDescription>>;
  readonly findings: ReadonlySignal<Loaded<Findings>>;
  readonly matrix: ReadonlySignal<Loaded<Frame<MatrixHeader>>>;
  /** The statistic that is shown over the depth. */
  readonly depth: ReadonlySignal<Loaded<Frame<MatrixHeader>>>;
  readonly histograms: ReadonlySignal<Loaded<Frame<HistogramsHeader>>>;
  readonly series: ReadonlySignal<Loaded<Frame<SeriesHeader>>>;
  readonly training: ReadonlySignal<Loaded<Frame<SeriesHeader>>>;
  readonly units: ReadonlySignal<Loaded<Frame<UnitsHeader>>>;

  readonly run: ReadonlySignal<Run | null>;
  /** The run a link asks for that is not here, null when there is no such trouble. */
  readonly missingRun: ReadonlySignal<string | null>;
  readonly layer: ReadonlySignal<Layer | null>;
  readonly stat: ReadonlySignal<string>;
  readonly depthStat: ReadonlySignal<string>;
  readonly histogramKind: ReadonlySignal<HistogramKind>;
  readonly seriesStats: ReadonlySignal<readonly string[]>;
  readonly sort: ReadonlySignal<SortOrder>;
  /** The step all panels mark: under the pointer, else pinned, else none. */
  readonly cursor: ReadonlySignal<number | null>;
  readonly pinnedStep: ReadonlySignal<number | null>;

  /** Counts how often the filter of layers was asked for. */
  readonly filterRequests: ReadonlySignal<number>;
  /** Id of the finding to bring into view, null when there is none or it has been done. */
  readonly wantedFinding: ReadonlySignal<string | null>;
  readonly hasShortcuts: ReadonlySignal<boolean>;

  chooseRun(name: string): void;
  chooseLayer(name: string): void;
  chooseStat(id: string): void;
  chooseDepthStat(id: string): void;
  chooseHistogramKind(kind: HistogramKind): void;
  chooseSeries(ids: readonly string[]): void;
  chooseSort(order: SortOrder): void;
  pinStep(step: number | null): void;
  hoverStep(step: number | null): void;
  askForFilter(): void;
  goToFinding(finding: Finding): void;
  /** To be called when the wanted finding has been brought into view. */
  arriveAtFinding(): void;
  allowShortcuts(isOn: boolean): void;
  reload(): void;
}

export function createStore(host: Host): Store {
  const refresh = signal(0);
  const theme = signal<Theme>("light");
  const now = signal(0);
  const chosenRun = signal(host.place.run);
  const chosenLayer = signal(host.place.layer);
  const stat = signal(host.place.stat ?? HEALTH);
  const chosenDepth = signal(host.place.depth ?? DEFAULT_DEPTH);
  const histogramKind = signal<HistogramKind>(host.place.kind ?? "activation");
  const chosenSeries = signal(host.place.series);
  const sort = signal<SortOrder>(host.place.sort ?? "severity");
  const pinnedStep = signal<number | null>(host.place.step ?? null);
  const filterRequests = signal(0);
  const wantedFinding = signal<string | null>(null);
  const hasShortcuts = signal(host.hasShortcuts);
  const hoveredStep = signal<number | null>(null);

  const runs = resource(signal("runs"), refresh, (_, abort) => fetchRuns(abort));
  const run = computed(() => pickRun(runs.value.value ?? [], chosenRun.value));
  const runName = computed(() => (run.value?.readable === true ? run.value.name : null));
  const description = resource(runName, refresh, fetchDescription);
  const findings = resource(runName, refresh, fetchFindings);
  const layer = computed(() =>
    pickLayer(description.value.value, findings.value.value, findings.value.isLoading, chosenLayer.value),
  );
  const layerName = computed(() => layer.value?.name ?? null);

  const knownStat = computed(() => {
    const known = description.value.value?.statistics.some(({ id }) => id === stat.value) ?? true;
    return stat.value === HEALTH || known ? stat.value : HEALTH;
  });
  const matrixKey = computed(() => (runName.value === null ? null : [runName.value, knownStat.value]));
  const matrix = resource(matrixKey, refresh, ([name = "", id = ""], abort) => fetchMatrix(name, id, abort));

  const depthStat = computed(() => {
    const available = description.value.value?.statistics.map(({ id }) => id) ?? [];
    return available.includes(chosenDepth.value) ? chosenDepth.value : (available[0] ?? chosenDepth.value);
  });
  const depthKey = computed(() => {
    const isKnown = description.value.value !== null && description.value.value.statistics.length > 0;
    return runName.value === null || !isKnown ? null : { run: runName.value, stat: depthStat.value };
  });
  const depth = resource(stable(depthKey), refresh, (key, abort) => fetchMatrix(key.run, key.stat, abort));

  const seriesStats = computed(() => {
    const available = description.value.value?.statistics.map(({ id }) => id) ?? [];
    const chosen = chosenSeries.value?.filter((id) => available.includes(id)) ?? [];
    if (chosen.length > 0) return chosen;
    const worst = openFindings(findings.value.value?.findings ?? [], layerName.value ?? "")[0];
    return tellingStatistics(worst?.rule, available);
  });
  const seriesKey = computed(() => {
    const stats = seriesStats.value;
    if (runName.value === null || layerName.value === null || stats.length === 0) return null;
    return { run: runName.value, layer: layerName.value, stats };
  });
  const series = resource(stable(seriesKey), refresh, (key, abort) =>
    fetchSeries(key.run, key.layer, key.stats, abort),
  );
  const trainingKey = computed(() => {
    const stats = description.value.value?.step_statistics.map(({ id }) => id) ?? [];
    const drawn = TRAINING_STATISTICS.filter((id) => stats.includes(id));
    return runName.value === null || drawn.length === 0 ? null : { run: runName.value, stats: drawn };
  });
  const training = resource(stable(trainingKey), refresh, (key, abort) => fetchStepSeries(key.run, key.stats, abort));
  const unitsKey = computed(() => {
    if (runName.value === null || layer.value === null || layer.value.units === 0) return null;
    return { run: runName.value, layer: layer.value.name };
  });
  const histogramsKey = computed(() => {
    if (runName.value === null || layer.value === null || layer.value.not_observed !== "") return null;
    return { run: runName.value, layer: layer.value.name, kind: histogramKind.value };
  });
  const histograms = resource(stable(histogramsKey), refresh, (key, abort) =>
    fetchHistograms(key.run, key.layer, key.kind, abort),
  );
  const units = resource(stable(unitsKey), refresh, (key, abort) => fetchUnits(key.run, key.layer, abort));

  host.watchTheme((current) => {
    theme.value = current;
  });
  host.watchClock((seconds) => {
    now.value = seconds;
  });
  const reload = () => {
    refresh.value += 1;
  };
  host.watchReload(reload);
  effect(() =>
    host.keepPlace({
      run: chosenRun.value,
      layer: chosenLayer.value,
      stat: stat.value === HEALTH ? undefined : stat.value,
      step: pinnedStep.value ?? undefined,
      sort: sort.value === "model" ? "model" : undefined,
      series: chosenSeries.value,
      depth: chosenDepth.value === DEFAULT_DEPTH ? undefined : chosenDepth.value,
      kind: histogramKind.value === "gradient" ? "gradient" : undefined,
    }),
  );

  return {
    theme,
    now,
    runs,
    description,
    findings,
    matrix,
    depth,
    histograms,
    series,
    training,
    units,
    run,
    missingRun: computed(() => {
      const asked = chosenRun.value;
      return asked === undefined || run.value === null || run.value.name === asked ? null : asked;
    }),
    layer,
    stat: knownStat,
    depthStat,
    histogramKind,
    seriesStats,
    sort,
    cursor: computed(() => hoveredStep.value ?? pinnedStep.value),
    pinnedStep,
    filterRequests,
    wantedFinding,
    hasShortcuts,
    chooseRun: (name) => {
      chosenRun.value = name;
      pinnedStep.value = null;
    },
    chooseLayer: (name) => {
      chosenLayer.value = name;
    },
    chooseStat: (id) => {
      stat.value = id;
    },
    chooseDepthStat: (id) => {
      chosenDepth.value = id;
    },
    chooseHistogramKind: (kind) => {
      histogramKind.value = kind;
    },
    chooseSeries: (ids) => {
      chosenSeries.value = ids.length === 0 ? undefined : ids;
    },
    chooseSort: (order) => {
      sort.value = order;
    },
    pinStep: (step) => {
      pinnedStep.value = step;
    },
    hoverStep: (step) => {
      hoveredStep.value = step;
    },
    askForFilter: () => {
      filterRequests.value += 1;
    },
    goToFinding: ({ id, layer: name }) => {
      if (description.peek().value?.layers.some((each) => each.name === name)) chosenLayer.value = name;
      wantedFinding.value = id;
    },
    arriveAtFinding: () => {
      wantedFinding.value = null;
    },
    allowShortcuts: (isOn) => {
      hasShortcuts.value = isOn;
      host.keepShortcuts(isOn);
    },
    reload,
  };
}

/** A key that is a new object with the same content at every reload must not count as a new subject. */
function stable<Key>(key: ReadonlySignal<Key | null>): ReadonlySignal<Key | null> {
  let last: Key | null = null;
  return computed(() => {
    if (JSON.stringify(key.value) !== JSON.stringify(last)) last = key.value;
    return last;
  });
}

/** The run asked for; else the newest that can be read; else any. */
function pickRun(runs: readonly Run[], name: string | undefined): Run | null {
  const asked = runs.find((run) => run.name === name);
  if (asked !== undefined) return asked;
  return runs.findLast((run) => run.readable) ?? runs[0] ?? null;
}

/** The layer asked for; else the one the verdict names; else the first. */
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
