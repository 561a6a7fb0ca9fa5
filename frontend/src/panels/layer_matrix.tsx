import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { ColourBar, HealthLegend, specialValues } from "../charts/legend";
import { healthLook, valueLook } from "../charts/look";
import { Matrix } from "../charts/matrix";
import { PALETTES, type Palette } from "../core/colour";
import { formatCount, formatValue } from "../core/format";
import type { Frame, MatrixHeader } from "../core/frame";
import { reduceHealth, reduceLargest } from "../core/raster";
import { indexOfStep, naturalExtent, valueScale } from "../core/scale";
import { healthOfCode, stateWord } from "../core/severity";
import type { RunDescription, Statistic } from "../core/types";
import { HEALTH, type Store } from "../state/store";
import { Await, Panel } from "./panel";
import { StatisticChooser } from "./statistic_chooser";

/** Layers x steps: where in depth, and when, it began. */
export function LayerMatrix({ store }: { readonly store: Store }) {
  const description = store.description.value.value;
  const tools = description !== null && (
    <StatisticChooser
      id="statistic"
      label="Show"
      value={store.stat.value}
      statistics={[{ id: HEALTH, title: "Health" }, ...description.statistics]}
      onChoose={store.chooseStat}
    />
  );
  return (
    <Panel id="matrix" title="Layers over steps" tools={tools}>
      <Await loaded={store.matrix.value} height={360}>
        {(frame) => description !== null && <MatrixView store={store} description={description} frame={frame} />}
      </Await>
    </Panel>
  );
}

interface ViewProps {
  readonly store: Store;
  readonly description: RunDescription;
}

interface MatrixViewProps extends ViewProps {
  readonly frame: Frame<MatrixHeader>;
}

function MatrixView({ store, description, frame }: MatrixViewProps) {
  const hoveredRow = useSignal<number | null>(null);
  const { header, data } = frame;
  const palette = PALETTES[store.theme.value];
  const statistic = description.statistics.find(({ id }) => id === header.stat) ?? null;
  const picture = useMemo(() => pictureOf(statistic, data, palette), [statistic, data, palette]);
  const names = useMemo(() => description.layers.map(({ name }) => name), [description]);
  const selectedRow = names.indexOf(store.layer.value?.name ?? "");
  const selectRow = (row: number) => {
    const name = names[row];
    if (name !== undefined) store.chooseLayer(name);
  };
  if (header.steps.length === 0) return <p class="message">No step has been recorded yet.</p>;
  if (header.shape[0] !== names.length) return <p class="message">The layers of this run have changed; reload.</p>;

  return (
    <>
      {statistic !== null && <p class="about">{statistic.about}</p>}
      <Matrix
        name={`${statistic?.title ?? "Health"} of ${names.length} layers over ${header.steps.length} steps`}
        rowNames={names}
        steps={header.steps}
        values={data}
        lookOf={picture.lookOf}
        reduce={statistic === null ? reduceHealth : reduceLargest}
        palette={palette}
        readoutId="matrix-readout"
        maxHeight={440}
        maxRowHeight={24}
        showRowNames={true}
        selectedRow={selectedRow}
        cursor={store.cursor}
        onSelectRow={selectRow}
        onPinStep={store.pinStep}
        onHover={(row, step) => {
          hoveredRow.value = row;
          store.hoverStep(step);
        }}
      />
      <p class="readout" id="matrix-readout" aria-live="polite">
        <Readout
          store={store}
          frame={frame}
          names={names}
          row={hoveredRow.value ?? selectedRow}
          statistic={statistic}
        />
      </p>
      {statistic === null ? (
        <HealthLegend palette={palette} />
      ) : (
        <ColourBar scale={picture.scale} statistic={statistic} specials={specialValues(data, picture.scale)} />
      )}
    </>
  );
}

function pictureOf(statistic: Statistic | null, values: Float32Array, palette: Palette) {
  if (statistic === null) return { scale: null, lookOf: healthLook(palette) };
  const scale = valueScale(statistic.scale, values, naturalExtent(statistic.id));
  return { scale, lookOf: valueLook(scale, palette) };
}

interface ReadoutProps {
  readonly store: Store;
  readonly frame: Frame<MatrixHeader>;
  readonly names: readonly string[];
  readonly row: number;
  readonly statistic: Statistic | null;
}

function Readout({ store, frame, names, row, statistic }: ReadoutProps) {
  const { steps } = frame.header;
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const step = steps[index];
  const name = names[row];
  if (step === undefined || name === undefined) return <>Point at a cell to read it.</>;
  const value = frame.data[row * steps.length + index] ?? Number.NaN;
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
