import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { StepWindow } from "../core/axis";
import { type Curve, readCurve, writeCurve } from "../core/curve";
import type { HistogramKind } from "../core/frame";
import { type RunOrder, readOrder, USUAL_ORDER, writeOrder } from "../core/landing";
import type { SortOrder } from "../core/ranking";
import type { XKind } from "../core/timeline";
import type { ScaleKind } from "../core/types";
import type { Place } from "../core/url";
import type { Host } from "../host";

export const HEALTH = "health";
export const DEFAULT_DEPTH = "gradient_norm";

/** The user's choices; `undefined` leaves a choice to the page. */
export interface Choices {
  readonly run: Signal<string | undefined>;
  /** Runs to compare with it. */
  readonly others: Signal<readonly string[] | undefined>;
  readonly layer: Signal<string | undefined>;
  readonly stat: Signal<string>;
  readonly scale: Signal<ScaleKind | undefined>;
  readonly depth: Signal<string>;
  readonly histogramKind: Signal<HistogramKind>;
  readonly series: Signal<readonly string[] | undefined>;
  readonly picture: Signal<string | undefined>;
  readonly sort: Signal<SortOrder>;
  readonly x: Signal<XKind>;
  /** Of all line charts. */
  readonly curve: Signal<Curve>;
  readonly zoom: Signal<StepWindow | null>;
  readonly pinnedStep: Signal<number | null>;
  readonly hoveredStep: Signal<number | null>;
  /** The step that all panels mark: under the pointer, else pinned, else none. */
  readonly cursor: ReadonlySignal<number | null>;
  /** Text that the name or class of a layer must contain. */
  readonly filter: Signal<string>;
  /** Rule that must have an open finding in a layer; undefined for all layers. */
  readonly flag: Signal<string | undefined>;
  /** Paths of collapsed nested models. */
  readonly folded: Signal<ReadonlySet<string>>;
  /** Regular expression for the table of runs; undefined before one is entered. */
  readonly runPattern: Signal<string | undefined>;
  readonly runOrder: Signal<RunOrder>;
  /** Runs marked in the table, in the order of marking. */
  readonly marked: Signal<readonly string[]>;
  /** Whether the next change of run or layer only passes by: the browser's back button leaves it out. */
  readonly isPassing: Signal<boolean>;
}

/** Starts from the address, keeps it up to date, and follows the browser's history. */
export function createChoices(host: Host): Choices {
  const pinnedStep = signal<number | null>(null);
  const hoveredStep = signal<number | null>(null);
  const choices: Choices = {
    run: signal(undefined),
    others: signal(undefined),
    layer: signal(undefined),
    stat: signal(HEALTH),
    scale: signal(undefined),
    depth: signal(DEFAULT_DEPTH),
    histogramKind: signal<HistogramKind>("activation"),
    series: signal(undefined),
    picture: signal(undefined),
    sort: signal<SortOrder>("severity"),
    x: signal<XKind>("step"),
    curve: signal<Curve>(readCurve(undefined)),
    zoom: signal<StepWindow | null>(null),
    pinnedStep,
    hoveredStep,
    cursor: computed(() => hoveredStep.value ?? pinnedStep.value),
    filter: signal(""),
    flag: signal(undefined),
    folded: signal<ReadonlySet<string>>(new Set()),
    runPattern: signal(undefined),
    runOrder: signal(USUAL_ORDER),
    marked: signal([]),
    isPassing: signal(false),
  };
  goTo(choices, host.place);
  let subject = subjectOf(host.place);
  effect(() => {
    const place = placeOf(choices);
    const isNew = subjectOf(place) !== subject;
    subject = subjectOf(place);
    host.keepPlace(place, isNew && !choices.isPassing.peek());
    if (isNew) choices.isPassing.value = false;
  });
  host.watchPlace((place) => {
    subject = subjectOf(place);
    batch(() => goTo(choices, place));
  });
  return choices;
}

/** What the page is about: each of its changes is a step in the browser's history. */
function subjectOf({ run, others, layer }: Place): string {
  return JSON.stringify([run, others ?? [], layer]);
}

function goTo(choices: Choices, place: Place): void {
  choices.run.value = place.run;
  choices.others.value = place.others;
  choices.layer.value = place.layer;
  choices.stat.value = place.stat ?? HEALTH;
  choices.scale.value = place.scale;
  choices.depth.value = place.depth ?? DEFAULT_DEPTH;
  choices.histogramKind.value = place.kind ?? "activation";
  choices.series.value = place.series;
  choices.picture.value = place.picture;
  choices.sort.value = place.sort ?? "severity";
  choices.x.value = place.x ?? "step";
  choices.curve.value = readCurve(place.curve);
  choices.zoom.value = place.zoom ?? null;
  choices.pinnedStep.value = place.step ?? null;
  choices.filter.value = place.filter ?? "";
  choices.flag.value = place.flag;
  choices.folded.value = new Set(place.folded);
  choices.runPattern.value = place.runs;
  choices.runOrder.value = readOrder(place.order);
}

/** Omits choices with their default value. */
function placeOf(choices: Choices) {
  const unless = <Value>(value: Value, usual: NoInfer<Value>) => (value === usual ? undefined : value);
  return {
    run: choices.run.value,
    others: choices.others.value,
    layer: choices.layer.value,
    stat: unless(choices.stat.value, HEALTH),
    scale: choices.scale.value,
    step: choices.pinnedStep.value ?? undefined,
    sort: choices.sort.value === "severity" ? undefined : choices.sort.value,
    series: choices.series.value,
    depth: unless(choices.depth.value, DEFAULT_DEPTH),
    kind: choices.histogramKind.value === "gradient" ? ("gradient" as const) : undefined,
    picture: choices.picture.value,
    x: choices.x.value === "step" ? undefined : choices.x.value,
    curve: writeCurve(choices.curve.value),
    zoom: choices.zoom.value ?? undefined,
    filter: unless(choices.filter.value, ""),
    flag: choices.flag.value,
    runs: choices.runPattern.value,
    order: writeOrder(choices.runOrder.value),
    folded: choices.folded.value.size === 0 ? undefined : [...choices.folded.value],
  };
}
