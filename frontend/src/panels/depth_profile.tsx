import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { SpecialLegend, specialValues } from "../charts/legend";
import { Profile } from "../charts/profile";
import { formatCount, formatValue } from "../core/format";
import type { Frame, MatrixHeader } from "../core/frame";
import { indexOfStep, naturalExtent, scaleName, valueScale } from "../core/scale";
import type { NumberTable } from "../core/table";
import type { RunDescription, Statistic } from "../core/types";
import type { Store } from "../state/store";
import { Numbers, useTableChoice } from "./number_table";
import { Await, Panel } from "./panel";
import { StatisticChooser } from "./statistic_chooser";

/** One statistic of all layers at the shared step, in call order: where on the way a signal is lost or blows up. */
export function DepthProfile({ store }: { readonly store: Store }) {
  const { isTable, button } = useTableChoice();
  const description = store.description.value.value;
  const tools = description !== null && (
    <>
      <StatisticChooser
        id="depth-statistic"
        label="Profile of"
        value={store.depthStat.value}
        statistics={description.statistics}
        onChoose={store.chooseDepthStat}
      />
      {button}
    </>
  );
  return (
    <Panel id="depth" title="Through the depth" tools={tools}>
      <Await loaded={store.depth.value} height={220} idle="This run holds no statistics of its layers.">
        {(frame) =>
          description !== null && <DepthView store={store} description={description} frame={frame} isTable={isTable} />
        }
      </Await>
    </Panel>
  );
}

interface DepthViewProps {
  readonly store: Store;
  readonly description: RunDescription;
  readonly frame: Frame<MatrixHeader>;
  readonly isTable: boolean;
}

function DepthView({ store, description, frame, isTable }: DepthViewProps) {
  const { steps, stat, shape } = frame.header;
  const names = useMemo(() => description.layers.map(({ name }) => name), [description]);
  const statistic = description.statistics.find(({ id }) => id === stat);
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const values = useMemo(
    () => Float32Array.from(names, (_, row) => frame.data[row * steps.length + index] ?? Number.NaN),
    [frame, names, index],
  );
  const step = steps[index];
  if (step === undefined) return <p class="message">No step has been recorded yet.</p>;
  if (statistic === undefined || shape[0] !== names.length) {
    return <p class="message">The layers of this run have changed; reload.</p>;
  }
  if (isTable) {
    const name = `Table of ${statistic.title.toLowerCase()} at step ${formatCount(step)}`;
    return (
      <>
        <p class="about">Layers in call order at step {formatCount(step)}.</p>
        <Numbers
          name={name}
          table={tableOf(statistic, names, values)}
          file={[store.run.value?.name ?? "", statistic.id, `step-${step}`]}
        />
      </>
    );
  }
  return <DepthChart store={store} frame={frame} statistic={statistic} names={names} values={values} step={step} />;
}

function tableOf(statistic: Statistic, names: readonly string[], values: Float32Array): NumberTable {
  return {
    rowTitle: "Layer",
    columns: [statistic],
    rows: names.map((name, row) => ({ name, values: [values[row] ?? Number.NaN] })),
  };
}

interface DepthChartProps {
  readonly store: Store;
  readonly frame: Frame<MatrixHeader>;
  readonly statistic: Statistic;
  readonly names: readonly string[];
  readonly values: Float32Array;
  readonly step: number;
}

function DepthChart({ store, frame, statistic, names, values, step }: DepthChartProps) {
  const hoveredRow = useSignal<number | null>(null);
  // Of all steps, so that the axis stands still while the step moves.
  const scale = useMemo(() => valueScale(statistic.scale, frame.data, naturalExtent(statistic.id)), [statistic, frame]);
  const selectedRow = names.indexOf(store.layer.value?.name ?? "");
  const row = hoveredRow.value ?? selectedRow;
  return (
    <>
      <p class="about">{statistic.about} First layer at the top.</p>
      <Profile
        name={`${statistic.title} of ${names.length} layers at step ${formatCount(step)}`}
        rowNames={names}
        values={values}
        scale={scale}
        unit={statistic.unit}
        steps={frame.header.steps}
        selectedRow={selectedRow}
        cursor={store.cursor}
        readoutId="depth-readout"
        onSelectRow={(selected) => {
          const name = names[selected];
          if (name !== undefined) store.chooseLayer(name);
        }}
        onPinStep={store.pinStep}
        onHoverRow={(hovered) => {
          hoveredRow.value = hovered;
        }}
      />
      <p class="readout" id="depth-readout" aria-live="polite">
        {names[row] !== undefined && <b>{names[row]}</b>}
        <span>step {formatCount(step)}</span>
        {names[row] !== undefined && <span>{formatValue(values[row], statistic.unit)}</span>}
      </p>
      <div class="legend">
        {scale !== null && <span>{scaleName(scale.kind)}</span>}
        <SpecialLegend specials={specialValues(values, scale)} />
      </div>
    </>
  );
}
