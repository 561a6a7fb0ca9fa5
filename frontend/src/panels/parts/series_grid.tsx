import { useMemo } from "preact/hooks";
import { type StepMarker, type TimeLine, TimeSeries } from "../../charts/timeseries";
import { PALETTES } from "../../core/color";
import { formatValue } from "../../core/format";
import type { Frame, SeriesHeader } from "../../core/frame";
import { frameRow, lastMeasured } from "../../core/points";
import { indexOfStep, lineScale, naturalExtent, scaleName } from "../../core/scale";
import type { NumberTable } from "../../core/table";
import type { Statistic } from "../../core/types";
import type { ByRun } from "../../state/answers";
import type { Store } from "../../state/store";
import { Numbers } from "./number_table";

export type SeriesStore = Pick<Store, "cursor" | "run" | "runStyles" | "theme" | "timelineOfOther" | "view">;

interface SeriesProps {
  readonly store: SeriesStore;
  readonly frame: Frame<SeriesHeader>;
  /** The same for the compared runs. */
  readonly others: ByRun<Frame<SeriesHeader>> | null;
  readonly statistics: readonly Statistic[];
  readonly markers: readonly StepMarker[];
  /** Whose statistics these are. */
  readonly subject: string;
}

const CHART_HEIGHT = 118;

/** Small line charts, one per statistic, with a common horizontal axis. */
export function SeriesGrid({ store, frame, others, statistics, markers, subject }: SeriesProps) {
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
            others={others}
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

function OneSeries({ store, frame, others, row, statistic, markers, subject }: OneSeriesProps) {
  const { steps } = frame.header;
  const styles = store.runStyles.value;
  const view = store.view.value;
  const palette = PALETTES[store.theme.value];
  const values = useMemo(() => frameRow(frame.data, row, steps.length), [frame, row]);
  const lines = useMemo<readonly [TimeLine, ...TimeLine[]]>(() => {
    const compared = styles.slice(1).flatMap(({ name, color, dash }): TimeLine[] => {
      const other = others?.get(name);
      if (other === undefined) return [];
      const { steps: recorded, stats } = other.header;
      const found = frameRow(other.data, stats.indexOf(statistic.id), recorded.length);
      return [{ steps: recorded, values: found, timeline: store.timelineOfOther(name), color, dash }];
    });
    const color = styles.length > 1 ? (styles[0]?.color ?? palette.series) : palette.series;
    return [{ steps, values, timeline: view.timeline, color, dash: [] }, ...compared];
  }, [frame, others, values, styles, view.timeline, palette]);
  const kind = useMemo(() => lineScale(statistic.scale, joined(lines)), [statistic, lines]);
  const isMeasured = lines.some((line) => lastMeasured(line.values) >= 0);
  return (
    <figure class="series">
      <figcaption title={statistic.about}>
        <span>
          {statistic.title}
          {kind !== "linear" && `, ${scaleName(kind)}`}
        </span>
        <ValueAtCursor store={store} steps={steps} values={values} unit={statistic.unit} />
      </figcaption>
      {isMeasured ? (
        <TimeSeries
          name={`${statistic.title} of ${subject} over ${steps.length} steps; see the table for numbers`}
          lines={lines}
          scale={kind}
          bounds={naturalExtent(statistic.id)}
          unit={statistic.unit}
          palette={palette}
          height={CHART_HEIGHT}
          markers={markers}
          view={view}
        />
      ) : (
        <p class="message series-empty">No values were measured.</p>
      )}
    </figure>
  );
}

function joined([main, ...others]: readonly [TimeLine, ...TimeLine[]]): Float32Array {
  return others.length === 0 ? main.values : Float32Array.from([main, ...others].flatMap(({ values }) => [...values]));
}

interface ValueProps {
  readonly store: SeriesStore;
  readonly steps: readonly number[];
  readonly values: Float32Array;
  readonly unit: string;
}

function ValueAtCursor({ store, steps, values, unit }: ValueProps) {
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  return <b class="series-value">{formatValue(values[index], unit)}</b>;
}

/** The same as a table, newest step first. */
export function SeriesTable({ store, frame, statistics, subject }: Omit<SeriesProps, "markers" | "others">) {
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
    <Numbers name={`Table: statistics of ${subject}`} table={table} file={[store.run.value?.name ?? "", subject]} />
  );
}
