import { useMemo } from "preact/hooks";
import { ColorBar, specialValues } from "../../charts/legend";
import { type LookOf, valueLook } from "../../charts/look";
import { Ridge } from "../../charts/ridge";
import { useStepAxis } from "../../charts/step_axis";
import { PALETTES, type Palette, parseColor } from "../../core/color";
import { formatCount, formatValue, plural } from "../../core/format";
import type { Frame, HistogramKind, HistogramsHeader } from "../../core/frame";
import { bucketBounds, type Histogram, histogramAt, shareRows, type ValueRows, valueRows } from "../../core/histogram";
import { reduceLargest } from "../../core/raster";
import { nearestStep, valueScale } from "../../core/scale";
import type { NumberTable } from "../../core/table";
import type { Statistic } from "../../core/types";
import type { Store } from "../../state/store";
import { ExportMenu } from "../parts/export_menu";
import { MainRunNote } from "../parts/main_run_note";
import { Numbers, useTableChoice } from "../parts/number_table";
import { Await, Panel } from "../parts/panel";
import { RowMatrix, type RowMatrixStore } from "../parts/row_matrix";

type DistributionStore = RowMatrixStore &
  Pick<Store, "chooseHistogramKind" | "cursor" | "histogramKind" | "histograms" | "layer" | "run" | "runStyles">;

const SHARE: Statistic = { id: "share", title: "Share of values", about: "", unit: "share", scale: "log" };
const SHARE_BOUNDS = { low: 1e-4, high: 1 };

const ROWS = 40;
const HEIGHT = 200;
/** Rows from one label to the next. */
const NAMED_ROWS = 5;

const KINDS: readonly { readonly kind: HistogramKind; readonly word: string; readonly values: string }[] = [
  { kind: "activation", word: "Activations", values: "outputs" },
  { kind: "gradient", word: "Gradients", values: "gradients with respect to the outputs" },
];

/** Distribution of the values of the chosen layer over time. */
export function Distribution({ store }: { readonly store: DistributionStore }) {
  const { isTable, button } = useTableChoice();
  const layer = store.layer.value;
  if (layer === null) return null;
  const tools = (
    <>
      <fieldset class="choice">
        <legend class="only-read">Distribution of</legend>
        {KINDS.map(({ kind, word }) => (
          <button
            key={kind}
            type="button"
            aria-pressed={store.histogramKind.value === kind}
            onClick={() => store.chooseHistogramKind(kind)}
          >
            {word}
          </button>
        ))}
      </fieldset>
      {button}
      <ExportMenu
        subject={`distribution of ${layer.name}`}
        file={[store.run.value?.name ?? "", layer.name, store.histogramKind.value]}
        table={() => allHistograms(store.histograms.value.value)}
      />
    </>
  );
  return (
    <Panel id="distribution" title={`Distribution: ${layer.name}`} tools={tools}>
      <MainRunNote store={store} />
      <Await loaded={store.histograms.value} height={300} idle={`Not observable: ${layer.not_observed}`}>
        {(frame) => <DistributionView store={store} frame={frame} isTable={isTable} />}
      </Await>
    </Panel>
  );
}

/** One row per step and bucket. */
function allHistograms(frame: Frame<HistogramsHeader> | null): NumberTable | null {
  if (frame === null) return null;
  const { steps, shape } = frame.header;
  const rows = steps.flatMap((step, index) => {
    const histogram = histogramAt(frame.data, shape[1] ?? 0, index);
    if (histogram === null) return [];
    return [...histogram.counts].map((count, bucket) => ({
      name: step,
      values: [...bucketBounds(histogram, bucket), count, count / histogram.total],
    }));
  });
  return { rowTitle: "Step", columns: BUCKET_COLUMNS, rows };
}

const BUCKET_COLUMNS = [
  { title: "From", unit: "" },
  { title: "To", unit: "" },
  { title: "Values", unit: "" },
  { title: "Share", unit: "share" },
];

interface ViewProps {
  readonly store: DistributionStore;
  readonly frame: Frame<HistogramsHeader>;
  readonly isTable: boolean;
}

function DistributionView({ store, frame, isTable }: ViewProps) {
  const { steps, shape, kind } = frame.header;
  const histograms = useMemo(() => steps.map((_, index) => histogramAt(frame.data, shape[1] ?? 0, index)), [frame]);
  const rows = useMemo(() => valueRows(histograms, ROWS), [histograms]);
  const index = nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const words = KINDS.find((each) => each.kind === kind);
  if (steps.length === 0) return <p class="message">No histograms recorded yet.</p>;
  if (rows === null) return <p class="message">No histograms of the {words?.values} of this layer were recorded.</p>;
  return (
    <>
      <p class="about">
        Distribution of the {words?.values} at {plural(steps.length, "step")} with a histogram. Counts are scaled up
        from an evenly strided sample of about 16,384 values.
      </p>
      {isTable ? (
        <HistogramTable store={store} step={steps[index] ?? 0} histogram={histograms[index] ?? null} kind={kind} />
      ) : (
        <Raster store={store} frame={frame} histograms={histograms} rows={rows} index={index} />
      )}
    </>
  );
}

interface TableProps {
  readonly store: DistributionStore;
  readonly step: number;
  readonly histogram: Histogram | null;
  readonly kind: HistogramKind;
}

function HistogramTable({ store, step, histogram, kind }: TableProps) {
  if (histogram === null) return <p class="message">No values were measured at step {formatCount(step)}.</p>;
  const layer = store.layer.value?.name ?? "";
  const table: NumberTable = {
    rowTitle: "Bucket",
    columns: BUCKET_COLUMNS,
    rows: [...histogram.counts].map((count, bucket) => ({
      name: bucket + 1,
      values: [...bucketBounds(histogram, bucket), count, count / histogram.total],
    })),
  };
  return (
    <Numbers
      name={`Table of the ${kind} histogram of ${layer} at step ${formatCount(step)}`}
      table={table}
      file={[store.run.value?.name ?? "", layer, kind, `step-${step}`]}
    />
  );
}

interface RasterProps {
  readonly store: DistributionStore;
  readonly frame: Frame<HistogramsHeader>;
  readonly histograms: readonly (Histogram | null)[];
  readonly rows: ValueRows;
  readonly index: number;
}

function Raster({ store, frame, histograms, rows, index }: RasterProps) {
  const { steps, kind } = frame.header;
  const palette = PALETTES[store.theme.value];
  const picture = useMemo(() => {
    const values = shareRows(histograms, rows);
    const scale = valueScale("log", values, SHARE_BOUNDS);
    const specials = { ...specialValues(values, scale), hasBelow: false };
    return { values, names: rowNames(rows), scale, specials };
  }, [histograms, rows]);
  const lookOf = useMemo(() => shareLook(picture, palette), [picture, palette]);
  const sharesAt = (column: number) =>
    Float32Array.from({ length: ROWS }, (_, row) => picture.values[row * steps.length + column] ?? 0);
  // On the color scale, so that rare values are visible.
  const heightsAt = (column: number) =>
    [...sharesAt(column)].map((share) => (share > 0 ? (picture.scale?.position(share) ?? 0) : 0));
  const first = useMemo(() => heightsAt(0), [picture]);
  const axis = useStepAxis(steps, store.view.value);
  const shares = sharesAt(index);
  const step = formatCount(steps[index] ?? 0);
  return (
    <>
      <RowMatrix
        store={store}
        id="distribution"
        name={`Distribution of ${kind}s over ${steps.length} steps`}
        rowNames={picture.names}
        steps={steps}
        values={picture.values}
        lookOf={lookOf}
        reduce={reduceLargest}
        maxHeight={HEIGHT}
        maxRowHeight={HEIGHT / ROWS}
        nameSpacing={HEIGHT / ROWS}
        aside={
          <figure class="ridge-figure">
            <Ridge heights={heightsAt(index)} reference={index === 0 ? null : first} size={HEIGHT} />
            <figcaption>
              step {step}
              {index > 0 && <span class="ridge-key">step {formatCount(steps[0] ?? 0)}</span>}
            </figcaption>
          </figure>
        }
        readout={(row) => (
          <>
            <span>step {step}</span>
            <span>{shareWords(rows, row, shares, histograms[index] ?? null)}</span>
          </>
        )}
      />
      <ColorBar scale={picture.scale} statistic={SHARE} specials={picture.specials} hasGaps={axis.gaps.length > 0} />
      {rows.isSymlog && <p class="about">Symmetric-log axis, because the spread changed a lot.</p>}
    </>
  );
}

/** Labels every few rows, starting at zero, with the edge nearer zero; the highest values come first. */
function rowNames({ edges }: ValueRows): string[] {
  const nearest = edges.slice(0, -1).map((from, row) => {
    const to = edges[row + 1] ?? from;
    return from < 0 && to > 0 ? 0 : from >= 0 ? from : to;
  });
  const smallest = Math.min(...nearest.map(Math.abs));
  const middle = nearest.findIndex((value) => Math.abs(value) === smallest);
  return nearest.map((value, row) => ((row - middle) % NAMED_ROWS === 0 ? formatValue(value) : "")).reverse();
}

/** Rows without values show the background. */
function shareLook({ scale }: { scale: ReturnType<typeof valueScale> }, palette: Palette): LookOf {
  const look = valueLook(scale, palette);
  const background = { fill: parseColor(palette.surface), pattern: "none", glyph: "", ink: null } as const;
  return (value) => (value === 0 ? background : look(value));
}

function shareWords({ edges }: ValueRows, row: number, shares: Float32Array, histogram: Histogram | null): string {
  if (histogram === null) return "no value";
  const from = edges[ROWS - 1 - row];
  const to = edges[ROWS - row];
  if (histogram.low === histogram.high) return `all values are ${formatValue(histogram.low)}`;
  if (row < 0 || from === undefined || to === undefined) {
    return `all values from ${formatValue(histogram.low)} to ${formatValue(histogram.high)}`;
  }
  return `${formatValue(shares[row], "share")} of values from ${formatValue(from)} to ${formatValue(to)}`;
}
