import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { ColorBar, HealthLegend, specialValues } from "../../charts/legend";
import { healthLook, valueLook } from "../../charts/look";
import { Matrix } from "../../charts/matrix";
import { useStepAxis } from "../../charts/step_axis";
import { PALETTES, type Palette } from "../../core/color";
import { formatCount, formatValue, plural } from "../../core/format";
import type { Frame, MatrixHeader } from "../../core/frame";
import { isNeverJudged } from "../../core/judged";
import { type Reduce, reduceHealth, reduceLargest } from "../../core/raster";
import { foldedRows, type LayerRows, mergedRows, rowOfLayer, rowTitle } from "../../core/rows";
import { naturalExtent, nearestStep, scaleName, valueScale } from "../../core/scale";
import { type HealthState, healthOfCode, statesIn, stateWord } from "../../core/severity";
import type { NumberTable } from "../../core/table";
import type { RunDescription, ScaleKind, Statistic } from "../../core/types";
import { HEALTH } from "../../state/choices";
import type { Store } from "../../state/store";
import { ExportMenu } from "../parts/export_menu";
import { FoldModels } from "../parts/fold_models";
import { MainRunNote } from "../parts/main_run_note";
import { Await, Panel } from "../parts/panel";
import { StatisticChooser } from "../parts/statistic_chooser";

type MatrixStore = Pick<
  Store,
  | "chooseLayer"
  | "chooseScale"
  | "chooseStat"
  | "cursor"
  | "description"
  | "fold"
  | "folded"
  | "health"
  | "layer"
  | "matrix"
  | "run"
  | "scale"
  | "shownLayers"
  | "stat"
  | "theme"
  | "view"
  | "runStyles"
>;

/** Layers x steps: where a problem began, and when. */
export function LayerMatrix({ store }: { readonly store: MatrixStore }) {
  const description = store.description.value.value;
  const isHealth = store.stat.value === HEALTH;
  const statistic = description?.statistics.find(({ id }) => id === store.stat.value);
  const title = statistic?.title.toLowerCase() ?? "";
  const tools = description !== null && (
    <>
      <FoldModels store={store} names={description.layers} />
      {statistic !== undefined && <ScaleChooser store={store} usual={statistic.scale} />}
      <StatisticChooser
        id="statistic"
        label="Show"
        value={store.stat.value}
        statistics={[{ id: HEALTH, title: "Health" }, ...description.statistics]}
        onChoose={store.chooseStat}
      />
      <ExportMenu
        subject="timeline"
        file={[store.run.value?.name ?? "", store.stat.value]}
        table={() => timelineTable(isHealth ? store.health.value.value : store.matrix.value.value, isHealth)}
      />
    </>
  );
  return (
    <Panel id="matrix" title={isHealth ? "Health timeline" : `Timeline: ${title}`} tools={tools}>
      <MainRunNote store={store} />
      <Await loaded={isHealth ? store.health.value : store.matrix.value} height={360}>
        {(frame) => description !== null && <MatrixView store={store} description={description} frame={frame} />}
      </Await>
    </Panel>
  );
}

/** One row per step, one column per layer; health in words. */
function timelineTable(frame: Frame<MatrixHeader> | null, isHealth: boolean): NumberTable | null {
  if (frame === null) return null;
  const { steps, layers } = frame.header;
  const cellOf = (layer: number, index: number) => {
    const value = frame.data[layer * steps.length + index] ?? Number.NaN;
    return isHealth ? healthWords(value) : value;
  };
  return {
    rowTitle: "Step",
    columns: layers.map((title) => ({ title, unit: "" })),
    rows: steps.map((step, index) => ({ name: step, values: layers.map((_, layer) => cellOf(layer, index)) })),
  };
}

const SCALES: readonly ScaleKind[] = ["linear", "log", "symlog"];

function ScaleChooser({ store, usual }: { readonly store: MatrixStore; readonly usual: ScaleKind }) {
  const chosen = store.scale.value ?? usual;
  return (
    <label class="field">
      Scale
      <select
        value={chosen}
        onChange={(event) => {
          const kind = SCALES.find((each) => each === event.currentTarget.value);
          store.chooseScale(kind === usual ? undefined : kind);
        }}
      >
        {SCALES.map((kind) => (
          <option key={kind} value={kind} selected={kind === chosen}>
            {scaleName(kind)}
          </option>
        ))}
      </select>
    </label>
  );
}

const HEIGHT = 440;
/** Rows up to which the picture grows so that each has a name, and the height of such a row in pixels. */
const MOST_NAMED = 45;
const NAMED_ROW = 13;

interface MatrixViewProps {
  readonly store: MatrixStore;
  readonly description: RunDescription;
  readonly frame: Frame<MatrixHeader>;
}

function MatrixView({ store, description, frame }: MatrixViewProps) {
  const hoveredRow = useSignal<number | null>(null);
  const { header, data } = frame;
  const palette = PALETTES[store.theme.value];
  const statistic = description.statistics.find(({ id }) => id === header.stat) ?? null;
  const scaleKind = store.scale.value;
  const picture = useMemo(() => pictureOf(statistic, scaleKind, data, palette), [statistic, scaleKind, data, palette]);
  const shown = store.shownLayers.value;
  const folded = store.folded.value;
  const reduce = statistic === null ? reduceHealth : reduceLargest;
  const hasAll = useSignal(false);
  const { rows, values, unjudged, hidden } = useMemo(
    () =>
      rowsOf(frame, new Set(shown.map(({ layer }) => layer.name)), folded, statistic === null, hasAll.value, reduce),
    [shown, frame, folded, statistic, hasAll.value, reduce],
  );
  const names = useMemo(() => rows.map(rowTitle), [rows]);
  const axis = useStepAxis(header.steps, store.view.value);
  const selectedRow = rowOfLayer(rows, header.layers.indexOf(store.layer.value?.name ?? ""));
  const selectRow = (row: number) => {
    const wanted = rows[row];
    if (wanted?.isGroup === true) store.fold([wanted.name], false);
    else if (wanted !== undefined) store.chooseLayer(wanted.name);
  };
  if (header.steps.length === 0) return <p class="message">No steps recorded yet.</p>;
  if (rows.length === 0) return <p class="message">No layer matches the filter.</p>;

  return (
    <>
      {statistic !== null && <p class="about">{statistic.about}</p>}
      {shown.length < header.layers.length && (
        <p class="about">
          Filtered: {formatCount(shown.length)} of {formatCount(header.layers.length)} layers.
        </p>
      )}
      {hidden > 0 ? (
        <p class="about">
          {plural(hidden, "row")} that no rule can judge {hidden === 1 ? "is" : "are"} hidden.{" "}
          <button
            type="button"
            class="quiet"
            onClick={() => {
              hasAll.value = true;
            }}
          >
            Show
          </button>
        </p>
      ) : (
        unjudged > 0 &&
        unjudged < rows.length && <p class="about">Last: {plural(unjudged, "row")} that no rule can judge.</p>
      )}
      <Matrix
        name={`${statistic?.title ?? "Health"} of ${rows.length} layers over ${header.steps.length} steps`}
        rowNames={names}
        steps={header.steps}
        values={values}
        lookOf={picture.lookOf}
        reduce={reduce}
        palette={palette}
        readoutId="matrix-readout"
        maxHeight={Math.max(HEIGHT, Math.min(rows.length, MOST_NAMED) * NAMED_ROW)}
        maxRowHeight={24}
        selectedRow={selectedRow}
        hoveredRow={hoveredRow.value}
        view={store.view.value}
        onSelectRow={selectRow}
        onHoverRow={(row) => {
          hoveredRow.value = row;
        }}
      />
      <p class="readout" id="matrix-readout" aria-live="polite">
        <Readout
          store={store}
          steps={header.steps}
          names={names}
          values={values}
          row={hoveredRow.value ?? selectedRow}
          statistic={statistic}
        />
      </p>
      {statistic === null ? (
        <HealthLegend palette={palette} states={picture.states} hasGaps={axis.gaps.length > 0} />
      ) : (
        <ColorBar
          scale={picture.scale}
          statistic={statistic}
          specials={picture.specials}
          hasGaps={axis.gaps.length > 0}
        />
      )}
    </>
  );
}

/** Rows that no rule judges, and those up to which they are shown at once. */
const FEW = 3;

/** In call order, unlike the list; in the health timeline, rows that no rule judges come last, and many are hidden. */
function rowsOf(
  { header, data }: Frame<MatrixHeader>,
  shown: ReadonlySet<string>,
  folded: ReadonlySet<string>,
  isHealth: boolean,
  hasAll: boolean,
  reduce: Reduce,
) {
  const inOrder = foldedRows(header.layers, folded, (name) => shown.has(name));
  const count = header.steps.length;
  const isUnjudged = ({ members }: LayerRows) => members.every((member) => isNeverJudged(data, count, member));
  const last = isHealth ? inOrder.filter(isUnjudged) : [];
  const judged = last.length === 0 ? inOrder : inOrder.filter((row) => !last.includes(row));
  const hidden = hasAll || last.length <= FEW || judged.length === 0 ? 0 : last.length;
  const rows = hidden > 0 ? judged : [...judged, ...last];
  return { rows, values: mergedRows(data, count, rows, reduce), unjudged: last.length, hidden };
}

const NO_SPECIALS = { hasBelow: false, hasMissing: false, hasInfinite: false };

const NO_STATES: ReadonlySet<HealthState | null> = new Set();

function pictureOf(
  statistic: Statistic | null,
  scaleKind: ScaleKind | undefined,
  values: Float32Array,
  palette: Palette,
) {
  if (statistic === null) {
    return { scale: null, lookOf: healthLook(palette), specials: NO_SPECIALS, states: statesIn(values) };
  }
  const kind = scaleKind ?? statistic.scale;
  const scale = valueScale(kind, values, kind === "linear" ? naturalExtent(statistic.id) : null);
  return { scale, lookOf: valueLook(scale, palette), specials: specialValues(values, scale), states: NO_STATES };
}

interface ReadoutProps {
  readonly store: MatrixStore;
  readonly steps: readonly number[];
  readonly names: readonly string[];
  readonly values: Float32Array;
  readonly row: number;
  readonly statistic: Statistic | null;
}

function Readout({ store, steps, names, values, row, statistic }: ReadoutProps) {
  const index = nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const step = steps[index];
  const name = names[row];
  if (step === undefined || name === undefined) return <>Point at a cell to see its value.</>;
  const value = values[row * steps.length + index] ?? Number.NaN;
  return (
    <>
      <b>{name}</b>
      <span>step {formatCount(step)}</span>
      <span>{statistic === null ? healthWords(value) : formatValue(value, statistic.unit)}</span>
    </>
  );
}

function healthWords(code: number): string {
  const state = healthOfCode(code);
  return state === null ? "Not judged" : stateWord(state);
}
