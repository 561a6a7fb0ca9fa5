import { useMemo } from "preact/hooks";
import { joinedValues, type Lines, type TimeLine } from "../../charts/series_data";
import type { StepMarker } from "../../charts/series_marks";
import { TimeSeries } from "../../charts/timeseries";
import { PALETTES } from "../../core/color";
import { formatValue } from "../../core/format";
import type { Frame, Line, SeriesHeader } from "../../core/frame";
import { frameRow, lastMeasured } from "../../core/points";
import { runDash } from "../../core/runs";
import { type Extent, lineScale, naturalExtent, nearestStep, scaleName } from "../../core/scale";
import type { NumberTable } from "../../core/table";
import type { ScaleKind, Statistic } from "../../core/types";
import type { ByRun } from "../../state/by_run";
import type { Store } from "../../state/store";
import { Numbers } from "./number_table";

export type SeriesStore = Pick<Store, "curve" | "cursor" | "run" | "runStyles" | "theme" | "timelineOfOther" | "view">;

interface SeriesProps {
  readonly store: SeriesStore;
  readonly frame: Frame<SeriesHeader>;
  /** The same for the compared runs. */
  readonly others: ByRun<Frame<SeriesHeader>> | null;
  /** The same for the single calls of a shared layer. */
  readonly calls?: ByRun<Frame<SeriesHeader>> | null;
  readonly statistics: readonly Statistic[];
  readonly markers: readonly StepMarker[];
  /** Whose statistics these are. */
  readonly subject: string;
}

const CHART_HEIGHT = 118;

/** Small line charts, one per statistic, with a common horizontal axis. */
export function SeriesGrid({ statistics, ...props }: SeriesProps) {
  return (
    <div class="series-grid">
      {props.frame.header.stats.map((id, row) => {
        const statistic = statistics.find((each) => each.id === id);
        return statistic === undefined ? null : <OneSeries key={id} {...props} row={row} statistic={statistic} />;
      })}
    </div>
  );
}

interface OneSeriesProps extends Omit<SeriesProps, "statistics"> {
  readonly row: number;
  readonly statistic: Statistic;
}

function OneSeries({ store, frame, others, calls = null, row, statistic, markers, subject }: OneSeriesProps) {
  const { steps } = frame.header;
  const styles = store.runStyles.value;
  const view = store.view.value;
  const curve = store.curve.value;
  const palette = PALETTES[store.theme.value];
  const values = useMemo(() => frameRow(frame.data, row, steps.length), [frame, row]);
  const lines = useMemo<Lines>(() => {
    const compared = styles.slice(1).flatMap(({ name, color, dash }): TimeLine[] => {
      const found = rowOf(others?.get(name), statistic.id);
      return found === null ? [] : [{ ...found, name, timeline: store.timelineOfOther(name), color, dash }];
    });
    const single = [...(calls ?? [])].flatMap(([name, call], place): TimeLine[] => {
      const found = rowOf(call, statistic.id);
      return found === null
        ? []
        : [{ ...found, name, timeline: view.timeline, color: palette.muted, dash: runDash(place + 1) }];
    });
    const isCompared = styles.length > 1;
    const color = isCompared ? (styles[0]?.color ?? palette.series) : palette.series;
    const name = isCompared ? (styles[0]?.name ?? subject) : single.length > 0 ? subject : statistic.title;
    return [{ name, steps, values, timeline: view.timeline, color, dash: [] }, ...single, ...compared];
  }, [frame, others, calls, values, styles, view.timeline, palette]);
  const kind = useMemo(() => curve.scale ?? lineScale(statistic.scale, joinedValues(lines)), [statistic, lines, curve]);
  const thresholds = frame.header.lines[statistic.id] ?? NO_LINES;
  const range = useMemo(
    () => ({
      scale: kind,
      bounds: boundsOf(statistic.id, kind),
      curve,
      thresholds: thresholds.map(({ value }) => value),
    }),
    [kind, statistic, curve, thresholds],
  );
  const isMeasured = lines.some((line) => lastMeasured(line.values) >= 0);
  return (
    <figure class="series">
      <figcaption title={statistic.about}>
        <span>
          {statistic.title}
          {kind !== "linear" && `, ${scaleName(kind)}`}
          {curve.smoothing > 0 && ", smoothed"}
        </span>
        <ValueAtCursor store={store} steps={steps} values={values} unit={statistic.unit} />
      </figcaption>
      {isMeasured ? (
        <TimeSeries
          name={`${statistic.title} of ${subject} over ${steps.length} steps; see the table for numbers`}
          lines={lines}
          range={range}
          unit={statistic.unit}
          palette={palette}
          height={CHART_HEIGHT}
          markers={markers}
          thresholds={thresholds}
          view={view}
        />
      ) : (
        <p class="message series-empty">No values were measured.</p>
      )}
    </figure>
  );
}

/** Fractions keep their natural range, which a logarithmic axis does not have. */
function boundsOf(statistic: string, kind: ScaleKind): Extent | null {
  return kind === "log" ? null : naturalExtent(statistic);
}

const NO_LINES: readonly Line[] = [];

function rowOf(frame: Frame<SeriesHeader> | undefined, statistic: string): Pick<TimeLine, "steps" | "values"> | null {
  if (frame === undefined) return null;
  const { steps, stats } = frame.header;
  const row = stats.indexOf(statistic);
  return row < 0 ? null : { steps, values: frameRow(frame.data, row, steps.length) };
}

interface ValueProps {
  readonly store: SeriesStore;
  readonly steps: readonly number[];
  readonly values: Float32Array;
  readonly unit: string;
}

function ValueAtCursor({ store, steps, values, unit }: ValueProps) {
  const index = nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  return <b class="series-value">{formatValue(values[index], unit)}</b>;
}

/** The same as a table, newest step first. */
export function SeriesTable({ store, frame, statistics, subject }: Omit<SeriesProps, "markers" | "others">) {
  const table = useMemo(() => seriesTable(frame, statistics), [frame, statistics]);
  return (
    <Numbers name={`Table: statistics of ${subject}`} table={table} file={[store.run.value?.name ?? "", subject]} />
  );
}

export function seriesTable({ header, data }: Frame<SeriesHeader>, statistics: readonly Statistic[]): NumberTable {
  const { steps, stats } = header;
  return {
    rowTitle: "Step",
    columns: stats.map((id) => statistics.find((each) => each.id === id) ?? { title: id, unit: "" }),
    rows: steps
      .map((step, index) => ({
        name: step,
        values: stats.map((_, row) => data[row * steps.length + index] ?? Number.NaN),
      }))
      .reverse(),
  };
}
