import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { ColorBar, HealthLegend, specialValues } from "../../charts/legend";
import { healthLook, valueLook } from "../../charts/look";
import { Matrix } from "../../charts/matrix";
import { PALETTES, type Palette } from "../../core/color";
import { formatCount, formatValue } from "../../core/format";
import type { Frame, MatrixHeader } from "../../core/frame";
import { pickRows, reduceHealth, reduceLargest } from "../../core/raster";
import { indexOfStep, naturalExtent, scaleName, valueScale } from "../../core/scale";
import { healthOfCode, stateWord } from "../../core/severity";
import type { RunDescription, ScaleKind, Statistic } from "../../core/types";
import { HEALTH } from "../../state/choices";
import type { Store } from "../../state/store";
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
  | "health"
  | "layer"
  | "matrix"
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
      {statistic !== undefined && <ScaleChooser store={store} usual={statistic.scale} />}
      <StatisticChooser
        id="statistic"
        label="Show"
        value={store.stat.value}
        statistics={[{ id: HEALTH, title: "Health" }, ...description.statistics]}
        onChoose={store.chooseStat}
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
  // Always in call order, unlike the list.
  const shown = store.shownLayers.value;
  const rows = useMemo(() => {
    const names = new Set(shown.map(({ layer }) => layer.name));
    const kept = header.layers.flatMap((name, row) => (names.has(name) ? [row] : []));
    return { names: kept.map((row) => header.layers[row] ?? ""), values: pickRows(data, header.steps.length, kept) };
  }, [shown, frame]);
  const selectedRow = rows.names.indexOf(store.layer.value?.name ?? "");
  const selectRow = (row: number) => {
    const name = rows.names[row];
    if (name !== undefined) store.chooseLayer(name);
  };
  if (header.steps.length === 0) return <p class="message">No steps recorded yet.</p>;
  if (rows.names.length === 0) return <p class="message">No layer matches the filter.</p>;

  return (
    <>
      {statistic !== null && <p class="about">{statistic.about}</p>}
      {rows.names.length < header.layers.length && (
        <p class="about">
          Filtered: {formatCount(rows.names.length)} of {formatCount(header.layers.length)} layers.
        </p>
      )}
      <Matrix
        name={`${statistic?.title ?? "Health"} of ${rows.names.length} layers over ${header.steps.length} steps`}
        rowNames={rows.names}
        steps={header.steps}
        values={rows.values}
        lookOf={picture.lookOf}
        reduce={statistic === null ? reduceHealth : reduceLargest}
        palette={palette}
        readoutId="matrix-readout"
        maxHeight={440}
        maxRowHeight={24}
        selectedRow={selectedRow}
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
          names={rows.names}
          values={rows.values}
          row={hoveredRow.value ?? selectedRow}
          statistic={statistic}
        />
      </p>
      {statistic === null ? (
        <HealthLegend palette={palette} />
      ) : (
        <ColorBar scale={picture.scale} statistic={statistic} specials={picture.specials} />
      )}
    </>
  );
}

function pictureOf(
  statistic: Statistic | null,
  scaleKind: ScaleKind | undefined,
  values: Float32Array,
  palette: Palette,
) {
  if (statistic === null) return { scale: null, lookOf: healthLook(palette), specials: specialValues(values, null) };
  const kind = scaleKind ?? statistic.scale;
  const scale = valueScale(kind, values, kind === "linear" ? naturalExtent(statistic.id) : null);
  return { scale, lookOf: valueLook(scale, palette), specials: specialValues(values, scale) };
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
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
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
