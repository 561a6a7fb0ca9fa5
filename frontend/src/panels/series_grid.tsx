import { useMemo } from "preact/hooks";
import { type StepMarker, TimeSeries } from "../charts/timeseries";
import { PALETTES } from "../core/colour";
import { formatValue } from "../core/format";
import type { Frame, SeriesHeader } from "../core/frame";
import { frameRow, lastMeasured } from "../core/points";
import { indexOfStep, lineScale, naturalExtent, scaleName } from "../core/scale";
import type { NumberTable } from "../core/table";
import type { Statistic } from "../core/types";
import type { Store } from "../state/store";
import { Numbers } from "./number_table";

interface SeriesProps {
  readonly store: Store;
  readonly frame: Frame<SeriesHeader>;
  readonly statistics: readonly Statistic[];
  readonly markers: readonly StepMarker[];
  /** Whose figures these are. */
  readonly subject: string;
}

const CHART_HEIGHT = 118;

/** Small line charts, one a statistic, on a common axis of steps. */
export function SeriesGrid({ store, frame, statistics, markers, subject }: SeriesProps) {
  return (
    <div class="series-grid">
      {frame.header.stats.map((id, row) => {
        const statistic = statistics.find((each) => each.id === id);
        if (statistic === undefined) return null;
        return (
          <OneSeries
            key={id}
            store={store}
            frame={frame}
            row={row}
            statistic={statistic}
            markers={markers}
            subject={subject}
          />
        );
      })}
    </div>
  );
}

interface OneSeriesProps extends Omit<SeriesProps, "statistics"> {
  readonly row: number;
  readonly statistic: Statistic;
}

function OneSeries({ store, frame, row, statistic, markers, subject }: OneSeriesProps) {
  const { steps } = frame.header;
  const values = useMemo(() => frameRow(frame.data, row, steps.length), [frame, row]);
  const kind = useMemo(() => lineScale(statistic.scale, values), [statistic, values]);
  return (
    <figure class="series">
      <figcaption title={statistic.about}>
        <span>
          {statistic.title}
          {kind !== "linear" && `, ${scaleName(kind)}`}
        </span>
        <ValueAtCursor store={store} steps={steps} values={values} unit={statistic.unit} />
      </figcaption>
      {lastMeasured(values) < 0 ? (
        <p class="message series-empty">No value was measured.</p>
      ) : (
        <TimeSeries
          name={`${statistic.title} of ${subject} over ${steps.length} steps; the numbers are in the table`}
          steps={steps}
          values={values}
          scale={kind}
          bounds={naturalExtent(statistic.id)}
          unit={statistic.unit}
          palette={PALETTES[store.theme.value]}
          height={CHART_HEIGHT}
          markers={markers}
          cursor={store.cursor}
          onPinStep={store.pinStep}
          onHoverStep={store.hoverStep}
        />
      )}
    </figure>
  );
}

interface ValueProps {
  readonly store: Store;
  readonly steps: readonly number[];
  readonly values: Float32Array;
  readonly unit: string;
}

function ValueAtCursor({ store, steps, values, unit }: ValueProps) {
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  return <b class="series-value">{formatValue(values[index], unit)}</b>;
}

/** The same numbers as a table, newest step first. */
export function SeriesTable({ store, frame, statistics, subject }: Omit<SeriesProps, "markers">) {
  const { steps, stats } = frame.header;
  const table = useMemo<NumberTable>(
    () => ({
      rowTitle: "Step",
      columns: stats.map((id) => statistics.find((each) => each.id === id) ?? { title: id, unit: "" }),
      rows: steps
        .map((step, index) => ({
          name: step,
          values: stats.map((_, row) => frame.data[row * steps.length + index] ?? Number.NaN),
        }))
        .reverse(),
    }),
    [frame, statistics],
  );
  return (
    <Numbers name={`Table of figures of ${subject}`} table={table} file={[store.run.value?.name ?? "", subject]} />
  );
}
