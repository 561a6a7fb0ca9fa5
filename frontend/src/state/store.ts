import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { pictureAddress, reportAddress } from "../api";
import { panTo, type StepWindow, wholeWindow } from "../core/axis";
import type { Theme } from "../core/color";
import type { Curve } from "../core/curve";
import { filterLayers } from "../core/filter";
import type { Frame, HistogramKind, SeriesHeader } from "../core/frame";
import { type RankedLayer, rankLayers, type SortOrder } from "../core/ranking";
import { runColor, runDash } from "../core/runs";
import { stepFacts, stepWords } from "../core/step_words";
import { BY_STEP, type Timeline, timelineOf, type XKind } from "../core/timeline";
import type { Finding, ScaleKind } from "../core/types";
import type { StepView } from "../core/view";
import type { Host } from "../host";
import { type Answers, createAnswers } from "./answers";
import { type Choices, createChoices } from "./choices";
import { type Loaded, stable } from "./resource";

/** How a run is drawn. */
export interface RunStyle {
  readonly name: string;
  readonly color: string;
  readonly dash: readonly number[];
}

type Chosen = Pick<
  Choices,
  "scale" | "histogramKind" | "picture" | "sort" | "x" | "curve" | "zoom" | "pinnedStep" | "filter" | "flag" | "folded"
>;

/** The state that all panels share: choices and answers. Each panel declares with `Pick` what it reads. */
export interface Store extends Answers, Readonly<{ [Name in keyof Chosen]: ReadonlySignal<Chosen[Name]["value"]> }> {
  readonly theme: ReadonlySignal<Theme>;
  /** Seconds since the epoch. */
  readonly now: ReadonlySignal<number>;
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
  readonly hasShortcuts: ReadonlySignal<boolean>;
  /** All answers, to report failed refreshes. */
  readonly loaded: readonly ReadonlySignal<Loaded<unknown>>[];

  /** Maps the steps of a compared run to the common axis. */
  timelineOfOther(run: string): Timeline;
  pictureAddress(tag: string, step: number): string;
  stockAddress(tab: string, tagPattern: string): string;
  /** The report of the shown run as a page, for download. */
  reportAddress(): string;
  /** The address of what is shown, for other people. */
  address(): string;
  /** Calls back with keys that no control takes; returns a cleanup. */
  listenForKeys(pressed: (event: KeyboardEvent) => void): () => void;

  chooseRun(name: string): void;
  chooseOthers(names: readonly string[]): void;
  chooseLayer(name: string): void;
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
  /** To be called when the wanted finding is in view. */
  arriveAtFinding(): void;
  allowShortcuts(isOn: boolean): void;
  reload(): void;
}

export function createStore(host: Host): Store {
  const reloads = signal(0);
  const theme = signal<Theme>("light");
  const now = signal(0);
  const filterRequests = signal(0);
  const wantedFinding = signal<string | null>(null);
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
  const answers = createAnswers(host, choices, reloads, now);
  const { run, others, runs, runOrder, training, otherTrainings } = answers;

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
  const stylesNow = computed(() => {
    const order = runOrder.value.value ?? (runs.value.value ?? []).map(({ name }) => name);
    const shown = run.value === null ? [] : [run.value, ...others.value];
    return shown.map(({ name }, place) => ({
      name,
      color: runColor(order.indexOf(name), theme.value),
      dash: runDash(place),
    }));
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
    hasShortcuts,
    loaded: Object.values(answers).filter(isLoadedSignal),
    timelineOfOther,
    pictureAddress: (tag, step) => pictureAddress(run.value?.name ?? "", tag, step),
    stockAddress: host.stockAddress,
    reportAddress: () => reportAddress(run.value?.name ?? ""),
    address: host.address,
    listenForKeys: host.listenForKeys,
    chooseRun: (name) => {
      // Swaps the two if the new main run was compared with the old one.
      const compared = others.peek().map((each) => (each.name === name ? (run.peek()?.name ?? "") : each.name));
      if (compared.length > 0) choices.others.value = compared;
      choices.run.value = name;
      choices.pinnedStep.value = null;
      choices.zoom.value = null;
    },
    chooseOthers: (names) => {
      choices.run.value = run.peek()?.name;
      choices.others.value = names;
    },
    chooseLayer: (name) => {
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
    },
    allowShortcuts: (isOn) => {
      hasShortcuts.value = isOn;
      host.keepShortcuts(isOn);
    },
    reload,
  };
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
