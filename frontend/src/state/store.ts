import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import { pictureAddress, reportAddress } from "../api";
import { panTo, type StepWindow, wholeWindow } from "../core/axis";
import type { Theme } from "../core/color";
import type { Curve } from "../core/curve";
import { filterLayers } from "../core/filter";
import type { Frame, HistogramKind, SeriesHeader } from "../core/frame";
import type { RunOrder } from "../core/landing";
import { type RankedLayer, rankLayers, type SortOrder } from "../core/ranking";
import { runColor, runDash } from "../core/runs";
import { stepFacts, stepWords } from "../core/step_words";
import { BY_STEP, type Timeline, timelineOf, type XKind } from "../core/timeline";
import type { Finding, ScaleKind } from "../core/types";
import type { StepView } from "../core/view";
import type { Host } from "../host";
import { type Answers, createAnswers } from "./answers";
import { type Choices, createChoices } from "./choices";
import { createMuting } from "./muting";
import { type Loaded, stable } from "./resource";
import { createThresholds, type Thresholds } from "./thresholds";

/** How a run is drawn. */
export interface RunStyle {
  readonly name: string;
  readonly color: string;
  readonly dash: readonly number[];
}

type Chosen = Pick<
  Choices,
  | "scale"
  | "histogramKind"
  | "picture"
  | "sort"
  | "x"
  | "curve"
  | "zoom"
  | "pinnedStep"
  | "filter"
  | "flag"
  | "folded"
  | "runOrder"
  | "marked"
>;

/** The state that all panels share: choices and answers. Each panel declares with `Pick` what it reads. */
export interface Store
  extends Answers,
    Thresholds,
    Readonly<{ [Name in keyof Chosen]: ReadonlySignal<Chosen[Name]["value"]> }> {
  readonly theme: ReadonlySignal<Theme>;
  /** Seconds since the epoch. */
  readonly now: ReadonlySignal<number>;
  /** Regular expression for the table of runs: the entered one, else that of TensorBoard's own tabs. */
  readonly runPattern: ReadonlySignal<string>;
  /** The run in the address if it does not exist, else null. */
  readonly missingRun: ReadonlySignal<string | null>;
  readonly cursor: ReadonlySignal<number | null>;
  readonly view: ReadonlySignal<StepView>;
  /** All layers in the chosen order. */
  readonly ranked: ReadonlySignal<readonly RankedLayer[]>;
  /** The layers that match the filters. */
  readonly shownLayers: ReadonlySignal<readonly RankedLayer[]>;
  /** The main run and the compared ones. */
  readonly runStyles: ReadonlySignal<readonly RunStyle[]>;
  /** Whether the run recorded what the chosen horizontal axis needs. */
  readonly isXKnown: ReadonlySignal<boolean>;
  /** Counts requests to focus the layer filter. */
  readonly filterRequests: ReadonlySignal<number>;
  /** Id of the finding to bring into view; null if there is none or it is in view. */
  readonly wantedFinding: ReadonlySignal<string | null>;
  /** Id of a finding that was muted or unmuted and takes the focus in its new place; null if there is none. */
  readonly movedFinding: ReadonlySignal<string | null>;
  readonly hasShortcuts: ReadonlySignal<boolean>;
  /** All answers, to report failed refreshes. */
  readonly loaded: readonly ReadonlySignal<Loaded<unknown>>[];

  /** Maps the steps of a compared run to the common axis. */
  timelineOfOther(run: string): Timeline;
  pictureAddress(tag: string, step: number): string;
  stockAddress(tab: string, tagPattern: string): string;
  openStock(address: string): void;
  /** The report of the shown run as a page, for download. */
  reportAddress(): string;
  /** The address of what is shown, for other people. */
  address(): string;
  /** Calls back with keys that no control takes; returns a cleanup. */
  listenForKeys(pressed: (event: KeyboardEvent) => void): () => void;

  /** Address of a run, for a link. */
  runAddress(name: string): string;
  /** TensorBoard's color of a run. */
  colorOf(run: string): string;

  /** Opens one run, or several to compare, from the table of runs. */
  openRuns(names: readonly string[]): void;
  showAllRuns(): void;
  filterRuns(pattern: string): void;
  orderRuns(order: RunOrder): void;
  markRuns(names: readonly string[]): void;
  chooseRun(name: string): void;
  chooseOthers(names: readonly string[]): void;
  /** A change that only passes by, as with the arrow keys, is no step in the browser's history. */
  chooseLayer(name: string, isPassing?: boolean): void;
  chooseStat(id: string): void;
  chooseScale(kind: ScaleKind | undefined): void;
  chooseDepthStat(id: string): void;
  chooseHistogramKind(kind: HistogramKind): void;
  chooseSeries(ids: readonly string[]): void;
  choosePicture(kind: string): void;
  chooseSort(order: SortOrder): void;
  chooseX(kind: XKind): void;
  chooseCurve(curve: Curve): void;
  zoomTo(zoom: StepWindow | null): void;
  filterLayers(text: string): void;
  flagLayers(rule: string | undefined): void;
  fold(paths: readonly string[], isFolded: boolean): void;
  pinStep(step: number | null): void;
  hoverStep(step: number | null): void;
  askForFilter(): void;
  goToFinding(finding: Finding): void;
  /** To be called when the wanted or moved finding is in view. */
  arriveAtFinding(): void;
  allowShortcuts(isOn: boolean): void;
  /** Mutes findings of the shown run; a note of null unmutes them. Returns why it failed, "" if it did not. */
  muteFindings(findings: readonly Finding[], note: string | null): Promise<string>;
  reload(): void;
}

export function createStore(host: Host): Store {
  const reloads = signal(0);
  const theme = signal<Theme>("light");
  const now = signal(0);
  const filterRequests = signal(0);
  const wantedFinding = signal<string | null>(null);
  const movedFinding = signal<string | null>(null);
  const hasShortcuts = signal(host.hasShortcuts);
  host.watchTheme((current) => {
    theme.value = current;
  });
  host.watchClock((seconds) => {
    now.value = seconds;
  });
  const reload = () => {
    reloads.value += 1;
  };
  host.watchReload(reload);

  const choices = createChoices(host);
  const muting = createMuting(host);
  const answers = createAnswers(host, choices, reloads, now, muting);
  const { run, others, runs, runNames, training, otherTrainings } = answers;

  const timeline = computed(() => timelineIn(choices.x.value, training.value.value));
  const pinStep = (step: number | null) => {
    choices.pinnedStep.value = step;
    const zoom = choices.zoom.peek();
    if (step !== null && zoom !== null) choices.zoom.value = panTo(zoom, step);
  };
  const hoverStep = (step: number | null) => {
    choices.hoveredStep.value = step;
  };
  const zoomTo = (zoom: StepWindow | null) => {
    choices.zoom.value = zoom;
  };
  const timelineOfOther = (name: string) =>
    timelineIn(choices.x.value, otherTrainings.value.value?.get(name) ?? null) ?? timeline.value ?? BY_STEP;
  const whole = stable(
    computed<StepWindow>(() => {
      const own = timeline.value ?? BY_STEP;
      const shown = run.value === null ? [] : [run.value.first_step, run.value.last_step];
      const compared = others.value.flatMap(({ name, first_step, last_step }) =>
        [first_step, last_step].map((step) => Math.round(own.stepAt(timelineOfOther(name).at(step)))),
      );
      return wholeWindow([...shown, ...compared].sort((a, b) => a - b));
    }),
  );
  const view = computed<StepView>(() => ({
    timeline: timeline.value ?? BY_STEP,
    zoom: choices.zoom.value,
    whole: whole.value,
    stepWords: (step) => stepWords(step, stepFacts(training.peek().value, step)),
    cursor: choices.cursor,
    onPinStep: pinStep,
    onHoverStep: hoverStep,
    onZoom: zoomTo,
  }));
  const places = computed(() => {
    const names = runNames.value.value ?? (runs.value.value ?? []).map(({ name }) => name);
    return new Map(names.map((name, place) => [name, place]));
  });
  const colorOf = (name: string) => runColor(places.value.get(name) ?? -1, theme.value);
  const stylesNow = computed(() => {
    const shown = run.value === null ? [] : [run.value, ...others.value];
    return shown.map(({ name }, place) => ({ name, color: colorOf(name), dash: runDash(place) }));
  });

  const runStyles = stable(stylesNow);
  const known = computed(() => answers.findings.value.value?.findings ?? []);
  const ranked = computed(() => {
    const { value } = answers.description.value;
    return value === null ? [] : rankLayers(value.layers, known.value, value.rules, choices.sort.value);
  });

  return {
    ...choices,
    ...answers,
    ...createThresholds(answers, muting),
    runPattern: computed(() => choices.runPattern.value ?? host.selection.pattern),
    theme,
    now,
    view,
    ranked,
    shownLayers: computed(() => filterLayers(ranked.value, known.value, choices.filter.value, choices.flag.value)),
    runStyles,
    isXKnown: computed(() => timeline.value !== null),
    missingRun: computed(() => {
      const asked = choices.run.value;
      return asked === undefined || run.value === null || run.value.name === asked ? null : asked;
    }),
    filterRequests,
    wantedFinding,
    movedFinding,
    hasShortcuts,
    loaded: Object.values(answers).filter(isLoadedSignal),
    timelineOfOther,
    pictureAddress: (tag, step) => pictureAddress(run.value?.name ?? "", tag, step),
    stockAddress: host.stockAddress,
    openStock: host.openStock,
    reportAddress: () => reportAddress(run.value?.name ?? ""),
    address: host.address,
    listenForKeys: host.listenForKeys,
    runAddress: (name) => host.placeAddress({ run: name }),
    colorOf,
    openRuns: ([first, ...rest]) =>
      batch(() => {
        leaveRun(choices);
        choices.run.value = first;
        choices.others.value = rest.length === 0 ? undefined : rest;
      }),
    showAllRuns: () =>
      batch(() => {
        leaveRun(choices);
        choices.run.value = undefined;
        choices.others.value = undefined;
      }),
    filterRuns: (pattern) => {
      choices.runPattern.value = pattern === host.selection.pattern ? undefined : pattern;
    },
    orderRuns: (order) => {
      choices.runOrder.value = order;
    },
    markRuns: (names) => {
      choices.marked.value = names;
    },
    chooseRun: (name) =>
      batch(() => {
        // Swaps the two if the new main run was compared with the old one.
        const compared = others.peek().map((each) => (each.name === name ? (run.peek()?.name ?? "") : each.name));
        if (compared.length > 0) choices.others.value = compared;
        choices.run.value = name;
        choices.pinnedStep.value = null;
        choices.zoom.value = null;
      }),
    chooseOthers: (names) =>
      batch(() => {
        choices.run.value = run.peek()?.name;
        choices.others.value = names;
      }),
    chooseLayer: (name, isPassing = false) => {
      if (name === choices.layer.peek()) return;
      choices.isPassing.value = isPassing;
      choices.layer.value = name;
    },
    chooseStat: (id) => {
      choices.stat.value = id;
    },
    chooseScale: (kind) => {
      choices.scale.value = kind;
    },
    chooseDepthStat: (id) => {
      choices.depth.value = id;
    },
    chooseHistogramKind: (kind) => {
      choices.histogramKind.value = kind;
    },
    chooseSeries: (ids) => {
      choices.series.value = ids.length === 0 ? undefined : ids;
    },
    choosePicture: (kind) => {
      choices.picture.value = kind;
    },
    chooseSort: (order) => {
      choices.sort.value = order;
    },
    chooseX: (kind) => {
      choices.x.value = kind;
    },
    chooseCurve: (curve) => {
      choices.curve.value = curve;
    },
    zoomTo,
    filterLayers: (text) => {
      choices.filter.value = text;
    },
    flagLayers: (rule) => {
      choices.flag.value = rule;
    },
    fold: (paths, isFolded) => {
      const folded = new Set(choices.folded.peek());
      for (const path of paths) {
        if (isFolded) folded.add(path);
        else folded.delete(path);
      }
      choices.folded.value = folded;
    },
    pinStep,
    hoverStep,
    askForFilter: () => {
      filterRequests.value += 1;
    },
    goToFinding: ({ id, layer: name }) => {
      if (answers.description.peek().value?.layers.some((each) => each.name === name)) choices.layer.value = name;
      wantedFinding.value = id;
    },
    arriveAtFinding: () => {
      wantedFinding.value = null;
      movedFinding.value = null;
    },
    allowShortcuts: (isOn) => {
      hasShortcuts.value = isOn;
      host.keepShortcuts(isOn);
    },
    muteFindings: async (muted, note) => {
      const shown = run.peek();
      const storage = answers.findings.peek().value?.mutes;
      if (shown === null || storage === undefined) return "The findings are not loaded yet.";
      const failure = await muting.mute(shown, storage.stored, muted, note);
      if (failure !== "") return failure;
      // The verdict may name another layer now, which must not take the place of this one.
      choices.layer.value = answers.layer.peek()?.name;
      movedFinding.value = muted[0]?.id ?? null;
      reload();
      return "";
    },
    reload,
  };
}

/** The next run starts at its own root cause and shows all of its steps. */
function leaveRun(choices: Choices): void {
  choices.layer.value = undefined;
  choices.pinnedStep.value = null;
  choices.zoom.value = null;
  choices.filter.value = "";
  choices.flag.value = undefined;
}

function isLoadedSignal(each: ReadonlySignal<unknown>): each is ReadonlySignal<Loaded<unknown>> {
  const value = each.peek();
  return typeof value === "object" && value !== null && "isLoading" in value;
}

/** Null while times and epochs are not loaded, or if the run did not record them. */
function timelineIn(kind: XKind, training: Frame<SeriesHeader> | null): Timeline | null {
  if (kind === "step") return BY_STEP;
  if (training === null) return null;
  const { steps, wall_times, stats } = training.header;
  const row = stats.indexOf("epoch");
  const epochs = row < 0 ? null : training.data.subarray(row * steps.length, (row + 1) * steps.length);
  return timelineOf(kind, { steps, wallTimes: wall_times, epochs });
}
