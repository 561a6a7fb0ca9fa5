import { useMemo } from "preact/hooks";
import type { Frame, SeriesHeader } from "../../core/frame";
import { frameRow } from "../../core/points";
import type { Statistic } from "../../core/types";
import type { ByRun } from "../../state/by_run";
import type { Store } from "../../state/store";
import { SeriesGrid, type SeriesStore, SeriesTable } from "../parts/series_grid";

export type EpochStore = SeriesStore & Pick<Store, "epochs" | "otherEpochs">;

interface EpochProps {
  readonly store: EpochStore;
  readonly isTable: boolean;
}

/** The metrics at the ends of epochs; of a single run, each one together with that of the validation. */
export function EpochMetrics({ store, isTable }: EpochProps) {
  const frame = store.epochs.value.value;
  const others = store.otherEpochs.value.value;
  const isAlone = store.runStyles.value.length < 2;
  const first = store.run.value?.first_step ?? 0;
  const parts = useMemo(
    () => (frame === null ? null : validationApart(frame, first, isAlone)),
    [frame, first, isAlone],
  );
  if (frame === null || parts === null || frame.header.steps.length === 0) return null;
  if (isTable) {
    return <SeriesTable store={store} frame={frame} statistics={describedBy(frame)} subject="epochs" />;
  }
  return (
    <>
      <SeriesGrid
        store={store}
        frame={parts.frame}
        others={others}
        calls={parts.calls}
        statistics={describedBy(parts.frame)}
        markers={[]}
        subject="training"
      />
      <p class="about">Epoch: at its end{parts.calls.size > 0 && "; dashed: validation"}</p>
    </>
  );
}

function describedBy({ header }: Frame<SeriesHeader>): Statistic[] {
  return header.stats.map((id) => ({ id, title: `epoch ${id}`, about: "", unit: "", scale: "linear" }));
}

const PREFIX = "val_";

/** Metrics that have one of the validation, which is apart then. */
function validationApart(answer: Frame<SeriesHeader>, first: number, isApart: boolean) {
  const frame = fromTheStart(answer, first);
  const { stats } = frame.header;
  const twin = (id: string) => (isApart ? stats.indexOf(PREFIX + id) : -1);
  const isTwin = (id: string) => isApart && id.startsWith(PREFIX) && stats.includes(id.slice(PREFIX.length));
  const own = stats.filter((id) => !isTwin(id));
  const paired = own.filter((id) => twin(id) >= 0);
  const calls: ByRun<Frame<SeriesHeader>> =
    paired.length === 0 ? new Map() : new Map([["validation", picked(frame, paired, (id) => twin(id))]]);
  return { frame: picked(frame, own, (id) => stats.indexOf(id)), calls };
}

/** With the first step of the run, so that the steps before the end of the first epoch do not look as if they were not recorded. */
function fromTheStart({ header, data }: Frame<SeriesHeader>, first: number): Frame<SeriesHeader> {
  const { steps, stats } = header;
  if (steps[0] === undefined || steps[0] <= first) return { header, data };
  const rows = stats.flatMap((_, row) => [Number.NaN, ...frameRow(data, row, steps.length)]);
  return { header: { ...header, steps: [first, ...steps] }, data: Float32Array.from(rows) };
}

/** Some rows of the frame under these names. */
function picked(
  { header, data }: Frame<SeriesHeader>,
  names: readonly string[],
  rowOf: (name: string) => number,
): Frame<SeriesHeader> {
  const count = header.steps.length;
  const values = Float32Array.from(names.flatMap((name) => [...frameRow(data, rowOf(name), count)]));
  return { header: { ...header, stats: names, shape: [names.length, count] }, data: values };
}
