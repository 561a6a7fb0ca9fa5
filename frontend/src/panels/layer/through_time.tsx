import { useMemo } from "preact/hooks";
import { ColorBar, specialValues } from "../../charts/legend";
import { valueLook } from "../../charts/look";
import { Ridge } from "../../charts/ridge";
import { useStepAxis } from "../../charts/step_axis";
import { PALETTES } from "../../core/color";
import { formatCount, formatValue } from "../../core/format";
import type { Frame, SequencesHeader } from "../../core/frame";
import { reduceLargest } from "../../core/raster";
import { extentOf, nearestStep, valueScale } from "../../core/scale";
import { overTime, timeNames, timeTable } from "../../core/through_time";
import type { Statistic } from "../../core/types";
import type { Store } from "../../state/store";
import { MainRunNote } from "../parts/main_run_note";
import { Numbers, useTableChoice } from "../parts/number_table";
import { Await, Panel } from "../parts/panel";
import { RowMatrix, type RowMatrixStore } from "../parts/row_matrix";

type TimeStore = RowMatrixStore & Pick<Store, "cursor" | "layer" | "run" | "runStyles" | "sequences">;

const GRADIENT: Statistic = { id: "gradient", title: "Gradient", about: "", unit: "", scale: "log" };
const HEIGHT = 200;

/** Gradients and outputs of a cell at each time step; nothing for layers that are not recurrent. */
export function ThroughTime({ store }: { readonly store: TimeStore }) {
  const { isTable, button } = useTableChoice();
  const { value, error } = store.sequences.value;
  if (store.layer.value === null || !(value?.header.steps.length || error)) return null;
  return (
    <Panel id="time" title={`Through time: ${store.layer.value.name}`} tools={button}>
      <MainRunNote store={store} />
      <Await loaded={store.sequences.value} height={HEIGHT}>
        {(frame) => <TimeView store={store} frame={frame} isTable={isTable} />}
      </Await>
    </Panel>
  );
}

interface ViewProps {
  readonly store: TimeStore;
  readonly frame: Frame<SequencesHeader>;
  readonly isTable: boolean;
}

function TimeView({ store, frame, isTable }: ViewProps) {
  const { lengths, readings, shape, steps } = frame.header;
  const [activities, gradients] = useMemo(() => [overTime(frame, 0), overTime(frame, 1)] as const, [frame]);
  const scale = useMemo(() => valueScale("log", gradients), [gradients]);
  const palette = PALETTES[store.theme.value];
  const lookOf = useMemo(() => valueLook(scale, palette), [scale, palette]);
  const axis = useStepAxis(steps, store.view.value);
  const index = nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const bins = shape[2] ?? 0;
  const names = useMemo(() => timeNames(lengths[index] ?? 0, bins), [frame, lengths[index]]);
  const at = (values: Float32Array) => values.filter((_, place) => place % steps.length === index);
  const [activity, gradient] = [at(activities), at(gradients)];
  const largest = extentOf(activity)?.high || 1;
  const step = `step ${formatCount(steps[index] ?? 0)}`;
  return (
    <>
      <p class="about">{readings[index]}</p>
      {isTable ? (
        <Numbers
          name={`Table over time at ${step}`}
          table={timeTable(names, activity, gradient)}
          file={[store.run.value?.name ?? "", store.layer.value?.name ?? "", "time", step]}
        />
      ) : (
        <>
          <RowMatrix
            store={store}
            id="time"
            name="Gradients over time"
            rowNames={names}
            steps={steps}
            values={gradients}
            lookOf={lookOf}
            reduce={reduceLargest}
            maxHeight={HEIGHT}
            maxRowHeight={20}
            aside={
              <figure class="ridge-figure">
                <Ridge
                  heights={[...gradient].map((one) => (one > 0 ? (scale?.position(one) ?? 0) : 0))}
                  reference={[...activity].map((one) => (one || 0) / largest)}
                  size={Math.min(HEIGHT, 20 * bins)}
                />
                <figcaption>
                  {step}: gradient <span class="ridge-key">output</span>
                </figcaption>
              </figure>
            }
            readout={(row) =>
              row >= 0 && (
                <>
                  <b>time step {names[row]}</b>
                  <span>gradient {formatValue(gradient[row])}</span>
                  <span>output {formatValue(activity[row])}</span>
                </>
              )
            }
          />
          <ColorBar
            scale={scale}
            statistic={GRADIENT}
            specials={specialValues(gradients, scale)}
            hasGaps={axis.gaps.length > 0}
          />
        </>
      )}
    </>
  );
}
