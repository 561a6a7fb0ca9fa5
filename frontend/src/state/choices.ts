import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { StepWindow } from "../core/axis";
import { type Curve, readCurve, writeCurve } from "../core/curve";
import type { HistogramKind } from "../core/frame";
import type { SortOrder } from "../core/ranking";
import type { XKind } from "../core/timeline";
import type { ScaleKind } from "../core/types";
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
}

/** Starts from the address and keeps it up to date. */
export function createChoices(host: Host): Choices {
  const { place } = host;
  const pinnedStep = signal<number | null>(place.step ?? null);
  const hoveredStep = signal<number | null>(null);
  const choices: Choices = {
    run: signal(place.run),
    others: signal(place.others),
    layer: signal(place.layer),
    stat: signal(place.stat ?? HEALTH),
    scale: signal(place.scale),
    depth: signal(place.depth ?? DEFAULT_DEPTH),
    histogramKind: signal<HistogramKind>(place.kind ?? "activation"),
    series: signal(place.series),
    picture: signal(place.picture),
    sort: signal<SortOrder>(place.sort ?? "severity"),
    x: signal<XKind>(place.x ?? "step"),
    curve: signal<Curve>(readCurve(place.curve)),
    zoom: signal<StepWindow | null>(place.zoom ?? null),
    pinnedStep,
    hoveredStep,
    cursor: computed(() => hoveredStep.value ?? pinnedStep.value),
    filter: signal(place.filter ?? ""),
    flag: signal(place.flag),
    folded: signal<ReadonlySet<string>>(new Set(place.folded)),
  };
  effect(() => host.keepPlace(placeOf(choices)));
  return choices;
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
    sort: choices.sort.value === "model" ? ("model" as const) : undefined,
    series: choices.series.value,
    depth: unless(choices.depth.value, DEFAULT_DEPTH),
    kind: choices.histogramKind.value === "gradient" ? ("gradient" as const) : undefined,
    picture: choices.picture.value,
    x: choices.x.value === "step" ? undefined : choices.x.value,
    curve: writeCurve(choices.curve.value),
    zoom: choices.zoom.value ?? undefined,
    filter: unless(choices.filter.value, ""),
    flag: choices.flag.value,
    folded: choices.folded.value.size === 0 ? undefined : [...choices.folded.value],
  };
}
