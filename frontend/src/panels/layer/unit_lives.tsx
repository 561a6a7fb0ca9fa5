import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { ColorBar, specialValues } from "../../charts/legend";
import { deadLook, type LookOf, valueLook } from "../../charts/look";
import { useStepAxis } from "../../charts/step_axis";
import { PALETTES, type Palette } from "../../core/color";
import { formatCount, formatValue } from "../../core/format";
import type { Frame, UnitsHeader } from "../../core/frame";
import {
  certainty,
  DEAD,
  LIFE_ORDERS,
  type LifeOrder,
  lifeOrder,
  lifeSentence,
  livesSentence,
  markDeaths,
  unitRows,
} from "../../core/lives";
import { reduceSmallest } from "../../core/raster";
import { extentOf, nearestStep, type ValueScale, valueScale } from "../../core/scale";
import type { NumberTable } from "../../core/table";
import type { UnitLife } from "../../core/types";
import { type UnitWords, unitWords } from "../../core/unit_words";
import { unitsTable } from "../../core/units_table";
import type { Store } from "../../state/store";
import { ExportMenu } from "../parts/export_menu";
import { MainRunNote } from "../parts/main_run_note";
import { Numbers, useTableChoice } from "../parts/number_table";
import { Await, Panel } from "../parts/panel";
import { RowMatrix, type RowMatrixStore } from "../parts/row_matrix";

type UnitsStore = RowMatrixStore & Pick<Store, "cursor" | "layer" | "run" | "units" | "runStyles">;

/** From 1% or less up to 100%, so that layers are comparable. */
const activityBounds = (values: Float32Array) => ({ low: Math.min(0.01, extentOf(values, 0)?.low ?? 0.01), high: 1 });

/** Units x steps of the chosen layer: which units died, when, and whether they revived. */
export function UnitLives({ store }: { readonly store: UnitsStore }) {
  const order = useSignal<LifeOrder>("status");
  const { isTable, button } = useTableChoice();
  const layer = store.layer.value;
  if (layer === null) return null;
  const words = unitWords(layer);
  const idle =
    layer.not_observed === "" ? "The units of this layer are not tracked." : `Not observable: ${layer.not_observed}`;
  const file = [store.run.value?.name ?? "", layer.name, "units"];
  const table = () => {
    const frame = store.units.value.value;
    return frame === null ? null : tableOf(frame, store.cursor.value, order.value, words);
  };
  const tools = layer.units > 0 && (
    <>
      <label class="field">
        Sort by
        <select
          value={order.value}
          onChange={(event) => {
            order.value = LIFE_ORDERS.find(({ id }) => id === event.currentTarget.value)?.id ?? "status";
          }}
        >
          {LIFE_ORDERS.map(({ id, word }) => (
            <option key={id} value={id}>
              {word}
            </option>
          ))}
        </select>
      </label>
      {button}
      <ExportMenu subject={`units of ${layer.name}`} file={file} table={table} />
    </>
  );
  return (
    <Panel id="units" title={`${words.title}: ${layer.name}`} tools={tools}>
      <MainRunNote store={store} />
      <Await loaded={store.units.value} height={layer.units === 0 ? 20 : 240} idle={idle}>
        {(frame) =>
          isTable ? (
            <>
              <p class="lives">{livesSentence(frame.header.lives, words.one)}</p>
              <Numbers
                name={`Table: units of ${layer.name}`}
                table={tableOf(frame, store.cursor.value, order.value, words)}
                file={file}
              />
            </>
          ) : (
            <LifeMap store={store} frame={frame} by={order.value} words={words} />
          )
        }
      </Await>
    </Panel>
  );
}

function tableOf(
  { header, data }: Frame<UnitsHeader>,
  cursor: number | null,
  by: LifeOrder,
  words: UnitWords,
): NumberTable {
  const { lives, steps, shape } = header;
  const index = nearestStep(steps, cursor ?? Number.POSITIVE_INFINITY);
  const activityAt = (unit: number) => data[index * (shape[2] ?? 0) + unit] ?? Number.NaN;
  return unitsTable(lives, lifeOrder(lives, by), activityAt, words);
}

interface LifeMapProps {
  readonly store: UnitsStore;
  readonly frame: Frame<UnitsHeader>;
  readonly by: LifeOrder;
  readonly words: UnitWords;
}

function LifeMap({ store, frame, by, words }: LifeMapProps) {
  const { lives, steps, shape } = frame.header;
  const palette = PALETTES[store.theme.value];
  const map = useMemo(() => {
    const order = lifeOrder(lives, by);
    const activity = frame.data.subarray(0, (shape[1] ?? 0) * (shape[2] ?? 0));
    const values = unitRows(activity, steps.length, order);
    const marked = markDeaths(values, steps, lives, order);
    const living = marked.filter((value) => value !== DEAD);
    const scale = valueScale("log", values, activityBounds(values));
    return {
      order,
      values,
      marked,
      scale,
      specials: specialValues(living, scale),
      hasDead: living.length < marked.length,
      names: order.map((unit) => `${words.one} ${unit}`),
    };
  }, [frame, by, words]);
  const lookOf = useMemo(() => lifeLook(map.scale, palette), [map, palette]);
  const axis = useStepAxis(steps, store.view.value);
  if (steps.length === 0) return <p class="message">No steps recorded yet.</p>;

  return (
    <>
      <p class="lives">{livesSentence(lives, words.one)}</p>
      <RowMatrix
        store={store}
        id="units"
        name={`${words.statistic.title} of ${lives.length} ${words.one}s over ${steps.length} steps`}
        rowNames={map.names}
        steps={steps}
        values={map.marked}
        lookOf={lookOf}
        reduce={reduceSmallest}
        maxHeight={260}
        maxRowHeight={14}
        readout={(row) => {
          const life = lives[map.order[row] ?? -1];
          if (life === undefined) return words.statistic.about;
          return <LifeReadout store={store} life={life} steps={steps} values={map.values} row={row} words={words} />;
        }}
      />
      <ColorBar
        scale={map.scale}
        statistic={words.statistic}
        specials={map.specials}
        hasDead={map.hasDead}
        hasGaps={axis.gaps.length > 0}
      />
    </>
  );
}

function lifeLook(scale: ValueScale | null, palette: Palette): LookOf {
  const look = valueLook(scale, palette);
  const dead = deadLook(palette);
  return (value) => (value === DEAD ? dead : look(value));
}

interface LifeReadoutProps {
  readonly store: UnitsStore;
  readonly life: UnitLife;
  readonly steps: readonly number[];
  readonly values: Float32Array;
  readonly row: number;
  readonly words: UnitWords;
}

function LifeReadout({ store, life, steps, values, row, words }: LifeReadoutProps) {
  const index = nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  return (
    <>
      <b>
        {words.one} {life.unit}
      </b>
      <span>
        {lifeSentence(life)}
        {certainty(life)}
      </span>
      <span>step {formatCount(steps[index] ?? 0)}</span>
      <span>{words.told(formatValue(values[row * steps.length + index], "share"))}</span>
    </>
  );
}
