import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { HealthLegend } from "../../charts/legend";
import { healthLook } from "../../charts/look";
import { Matrix } from "../../charts/matrix";
import { type StepWindow, wholeWindow } from "../../core/axis";
import { PALETTES } from "../../core/color";
import { gapsOf, recordCells } from "../../core/coverage";
import { formatCount } from "../../core/format";
import type { Frame, MatrixHeader } from "../../core/frame";
import { reduceHealth } from "../../core/raster";
import { indexOfStep } from "../../core/scale";
import { healthOfCode, statesIn, stateWord } from "../../core/severity";
import type { RunStyle, Store } from "../../state/store";
import { Panel } from "../parts/panel";
import { RunKey } from "../parts/run_key";

type LanesStore = Pick<
  Store,
  | "chooseLayer"
  | "cursor"
  | "health"
  | "layer"
  | "otherHealths"
  | "runStyles"
  | "theme"
  | "timelineOfOther"
  | "view"
  | "x"
  | "zoom"
>;

type Health = Frame<MatrixHeader>;

/** Height of one lane in pixels, of a row at most, and of a row whose mark would not cover it. */
const LANE = 100;
const MOST_ROW = 9;
const MARKED_ROW = 5;

/** The health of every compared run, one below the other on one axis. */
export function HealthLanes({ store }: { readonly store: LanesStore }) {
  const styles = store.runStyles.value;
  const main = store.health.value.value;
  const others = store.otherHealths.value.value;
  const window = useMemo(() => sharedWindow([main, ...(others?.values() ?? [])]), [main, others]);
  const legend = useMemo(() => shownIn([main, ...(others?.values() ?? [])]), [main, others]);
  if (styles.length < 2) return null;
  return (
    <Panel id="lanes" title="Health of the compared runs">
      {styles.map((style, place) => {
        const frame = place === 0 ? main : (others?.get(style.name) ?? null);
        return <Lane key={style.name} store={store} style={style} isMain={place === 0} frame={frame} window={window} />;
      })}
      <HealthLegend palette={PALETTES[store.theme.value]} {...legend} />
    </Panel>
  );
}

function sharedWindow(frames: readonly (Health | null)[]): StepWindow | null {
  const windows = frames.flatMap((frame) => (frame === null ? [] : [wholeWindow(frame.header.steps)]));
  if (windows.length === 0) return null;
  return { from: Math.min(...windows.map(({ from }) => from)), to: Math.max(...windows.map(({ to }) => to)) };
}

/** The states and gaps that the legend explains. */
function shownIn(frames: readonly (Health | null)[]) {
  const shown = frames.filter((frame) => frame !== null);
  const states = new Set(shown.flatMap(({ data }) => [...statesIn(data)]));
  return { states, hasGaps: shown.some(({ header }) => hasGaps(header.steps)) };
}

function hasGaps(steps: readonly number[]): boolean {
  return gapsOf(recordCells(steps), { from: steps[0] ?? 0, to: steps[steps.length - 1] ?? 0 }).length > 0;
}

interface LaneProps {
  readonly store: LanesStore;
  readonly style: RunStyle;
  readonly isMain: boolean;
  /** Null while loading. */
  readonly frame: Health | null;
  readonly window: StepWindow | null;
}

function Lane({ store, style, isMain, frame, window }: LaneProps) {
  const hovered = useSignal<number | null>(null);
  const palette = PALETTES[store.theme.value];
  const look = useMemo(() => healthLook(palette), [palette]);
  const shared = store.view.value;
  const timeline = isMain ? shared.timeline : store.timelineOfOther(style.name);
  // Steps of different runs correspond; their times and epochs need not.
  const zoom = shared.zoom ?? (store.x.value === "step" ? window : null);
  const view = useMemo(() => ({ ...shared, timeline, zoom }), [shared, timeline, zoom]);
  const id = `lane-${style.name}`;
  const row = hovered.value ?? frame?.header.layers.indexOf(store.layer.value?.name ?? "") ?? -1;
  return (
    <div class="lane">
      <p class="lane-head">
        <RunKey style={style} />
        <span id={id} class="quiet-words">
          {frame !== null && <LaneReadout store={store} frame={frame} row={row} />}
        </span>
      </p>
      {frame === null ? (
        <div class="skeleton" aria-hidden="true" style={{ height: `${LANE}px` }} />
      ) : (
        <Matrix
          name={`Health of ${style.name}`}
          rowNames={frame.header.layers}
          steps={frame.header.steps}
          values={frame.data}
          lookOf={look}
          reduce={reduceHealth}
          palette={palette}
          readoutId={id}
          maxHeight={LANE}
          maxRowHeight={MOST_ROW}
          selectedRow={canMark(frame) ? frame.header.layers.indexOf(store.layer.value?.name ?? "") : -1}
          view={view}
          onSelectRow={(selected) => store.chooseLayer(frame.header.layers[selected] ?? "")}
          hoveredRow={hovered.value}
          onHoverRow={(at) => {
            hovered.value = at;
          }}
        />
      )}
    </div>
  );
}

function canMark({ header }: Health): boolean {
  return LANE / header.layers.length >= MARKED_ROW;
}

interface ReadoutProps {
  readonly store: Pick<Store, "cursor">;
  readonly frame: Health;
  readonly row: number;
}

function LaneReadout({ store, frame, row }: ReadoutProps) {
  const { layers, steps } = frame.header;
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const state = healthOfCode(frame.data[row * steps.length + index] ?? Number.NaN);
  const step = steps[index];
  if (row < 0 || state === null || step === undefined) return null;
  return (
    <>
      {layers[row]}: {stateWord(state)}, step {formatCount(step)}
    </>
  );
}
