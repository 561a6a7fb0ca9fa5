import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { SpecialLegend, specialValues } from "../../charts/legend";
import { Profile, type ProfileLine } from "../../charts/profile";
import { PALETTES } from "../../core/color";
import { formatCount, formatValue } from "../../core/format";
import type { Frame, MatrixHeader } from "../../core/frame";
import { reduceLargest } from "../../core/raster";
import { foldedRows, mergedRows, rowOfLayer, rowTitle } from "../../core/rows";
import { extentOf, naturalExtent, nearestStep, scaleName, type ValueScale, valueScale } from "../../core/scale";
import type { NumberTable } from "../../core/table";
import type { RunDescription, Statistic } from "../../core/types";
import type { RunStyle, Store } from "../../state/store";
import { ExportMenu } from "../parts/export_menu";
import { Numbers, useTableChoice } from "../parts/number_table";
import { Await, Panel } from "../parts/panel";
import { RunKey } from "../parts/run_key";
import { StatisticChooser } from "../parts/statistic_chooser";

type DepthStore = Pick<
  Store,
  | "chooseDepthStat"
  | "chooseLayer"
  | "cursor"
  | "depth"
  | "depthStat"
  | "description"
  | "fold"
  | "folded"
  | "layer"
  | "otherDepths"
  | "run"
  | "runStyles"
  | "theme"
  | "view"
>;

/** One statistic of all layers at the shared step, in call order: shows where a signal vanishes or explodes. */
export function DepthProfile({ store }: { readonly store: DepthStore }) {
  const { isTable, button } = useTableChoice();
  const description = store.description.value.value;
  const tools = description !== null && (
    <>
      <StatisticChooser
        id="depth-statistic"
        label="Statistic"
        value={store.depthStat.value}
        statistics={description.statistics}
        onChoose={store.chooseDepthStat}
      />
      {button}
      <ExportMenu
        subject="depth profile"
        file={[store.run.value?.name ?? "", store.depthStat.value]}
        table={() => tableAtCursor(store, description)}
      />
    </>
  );
  return (
    <Panel id="depth" title="Depth profile" tools={tools}>
      <Await loaded={store.depth.value} height={220} idle="This run has no layer statistics.">
        {(frame) =>
          description !== null && <DepthView store={store} description={description} frame={frame} isTable={isTable} />
        }
      </Await>
    </Panel>
  );
}

interface DepthViewProps {
  readonly store: DepthStore;
  readonly description: RunDescription;
  readonly frame: Frame<MatrixHeader>;
  readonly isTable: boolean;
}

function DepthView({ store, description, frame, isTable }: DepthViewProps) {
  const { steps, stat, layers: names } = frame.header;
  const statistic = description.statistics.find(({ id }) => id === stat);
  const index = nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const step = steps[index];
  if (step === undefined) return <p class="message">No steps recorded yet.</p>;
  if (statistic === undefined) return <p class="message">The statistics of this run have changed. Reload the page.</p>;
  const runs = runsAt(store, frame);
  if (isTable) {
    const name = `Table of ${statistic.title.toLowerCase()} at step ${formatCount(step)}`;
    return (
      <>
        <p class="about">Layers in call order at step {formatCount(step)}.</p>
        <Numbers
          name={name}
          table={tableOf(statistic, names, runs)}
          file={[store.run.value?.name ?? "", statistic.id, `step-${step}`]}
        />
      </>
    );
  }
  return <DepthChart store={store} frame={frame} statistic={statistic} runs={runs} step={step} />;
}

interface RunValues {
  readonly style: RunStyle;
  /** One per layer of the main run, NaN where the run lacks the layer or the value. */
  readonly values: Float32Array;
}

/** Values of the main run and the compared runs at the shared step. */
function runsAt(store: DepthStore, frame: Frame<MatrixHeader>): RunValues[] {
  const others = store.otherDepths.value.value;
  const cursor = store.cursor.value ?? Number.POSITIVE_INFINITY;
  return store.runStyles.value.flatMap((style, place): RunValues[] => {
    const source = place === 0 ? frame : others?.get(style.name);
    if (source === undefined) return [];
    const { steps, layers } = source.header;
    const index = nearestStep(steps, cursor);
    const rowOf = source === frame ? null : new Map(layers.map((name, row) => [name, row]));
    const values = Float32Array.from(frame.header.layers, (name, row) => {
      const sourceRow = rowOf === null ? row : rowOf.get(name);
      return (sourceRow === undefined ? undefined : source.data[sourceRow * steps.length + index]) ?? Number.NaN;
    });
    return [{ style, values }];
  });
}

function tableOf(statistic: Statistic, names: readonly string[], runs: readonly RunValues[]): NumberTable {
  return {
    rowTitle: "Layer",
    columns:
      runs.length === 1
        ? [statistic]
        : runs.map(({ style }) => ({ title: `${statistic.title}, ${style.name}`, unit: statistic.unit })),
    rows: names.map((name, row) => ({ name, values: runs.map(({ values }) => values[row] ?? Number.NaN) })),
  };
}

function tableAtCursor(store: DepthStore, description: RunDescription): NumberTable | null {
  const frame = store.depth.value.value;
  const statistic = description.statistics.find(({ id }) => id === frame?.header.stat);
  if (frame === null || statistic === undefined) return null;
  return tableOf(statistic, frame.header.layers, runsAt(store, frame));
}

interface DepthChartProps {
  readonly store: DepthStore;
  readonly frame: Frame<MatrixHeader>;
  readonly statistic: Statistic;
  readonly runs: readonly RunValues[];
  readonly step: number;
}

function DepthChart({ store, frame, statistic, runs, step }: DepthChartProps) {
  const hoveredRow = useSignal<number | null>(null);
  const { layers: names, steps } = frame.header;
  const others = store.otherDepths.value.value;
  // Over all steps and runs, so that the axis stays fixed while the step moves.
  const scale = useMemo(() => sharedScale(statistic, [frame, ...(others?.values() ?? [])]), [statistic, frame, others]);
  const folded = store.folded.value;
  const rows = useMemo(() => foldedRows(names, folded), [names, folded]);
  const titles = useMemo(() => rows.map(rowTitle), [rows]);
  const shownRuns = runs.map(({ style, values }) => ({ style, values: mergedRows(values, 1, rows, reduceLargest) }));
  const selectedRow = rowOfLayer(rows, names.indexOf(store.layer.value?.name ?? ""));
  const row = hoveredRow.value ?? selectedRow;
  const lines = shownRuns.map(
    ({ style, values }): ProfileLine => ({
      ...style,
      values,
      color: runs.length === 1 ? PALETTES[store.theme.value].series : style.color,
    }),
  );
  return (
    <>
      <p class="about">
        {statistic.about} First layer at the top.
        {rows.some(({ isGroup }) => isGroup) && " A collapsed model shows its largest value."}
      </p>
      <Profile
        name={`${statistic.title} of ${rows.length} layers at step ${formatCount(step)}`}
        rowNames={titles}
        lines={lines}
        scale={scale}
        unit={statistic.unit}
        steps={steps}
        selectedRow={selectedRow}
        view={store.view.value}
        readoutId="depth-readout"
        onSelectRow={(selected) => {
          const wanted = rows[selected];
          if (wanted?.isGroup === true) store.fold([wanted.name], false);
          else if (wanted !== undefined) store.chooseLayer(wanted.name);
        }}
        hoveredRow={hoveredRow.value}
        onHoverRow={(hovered) => {
          hoveredRow.value = hovered;
        }}
      />
      <p class="readout" id="depth-readout" aria-live="polite">
        {titles[row] !== undefined && <b>{titles[row]}</b>}
        <span>step {formatCount(step)}</span>
        {titles[row] !== undefined &&
          shownRuns.map(({ style, values }) => (
            <span key={style.name}>
              {runs.length > 1 && `${style.name}: `}
              {formatValue(values[row], statistic.unit)}
            </span>
          ))}
      </p>
      <div class="legend">
        {scale !== null && <span>{scaleName(scale.kind)} scale</span>}
        {runs.length > 1 && runs.map(({ style }) => <RunKey key={style.name} style={style} />)}
        <SpecialLegend specials={specialsOf(runs, scale)} />
      </div>
    </>
  );
}

function sharedScale(statistic: Statistic, frames: readonly Frame<MatrixHeader>[]): ValueScale | null {
  const natural = naturalExtent(statistic.id);
  if (natural !== null && statistic.scale === "linear") {
    return valueScale(statistic.scale, frames[0]?.data ?? new Float32Array(), natural);
  }
  const floor = statistic.scale === "log" ? 0 : Number.NEGATIVE_INFINITY;
  const ends = frames.map(({ data }) => extentOf(data, floor)).filter((extent) => extent !== null);
  return valueScale(statistic.scale, Float32Array.from(ends.flatMap(({ low, high }) => [low, high])));
}

function specialsOf(runs: readonly RunValues[], scale: ValueScale | null) {
  const each = runs.map(({ values }) => specialValues(values, scale));
  return {
    hasBelow: each.some(({ hasBelow }) => hasBelow),
    hasMissing: each.some(({ hasMissing }) => hasMissing),
    hasInfinite: each.some(({ hasInfinite }) => hasInfinite),
  };
}
