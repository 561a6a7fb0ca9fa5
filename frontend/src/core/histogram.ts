import { extentOf, medianSize } from "./scale";

/** Numbers before the counts of a histogram: lowest and highest edge. */
const EDGES = 2;

/** One step's histogram; buckets are equally wide. */
export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: Float32Array;
  readonly total: number;
}

/** The histogram of one step in an answer of shape `[steps, 2 + buckets]`; null if none was measured. */
export function histogramAt(data: Float32Array, width: number, index: number): Histogram | null {
  const row = data.subarray(index * width, (index + 1) * width);
  const [low = Number.NaN, high = Number.NaN] = row;
  const counts = row.subarray(EDGES);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!Number.isFinite(low) || !Number.isFinite(high) || high < low || !(total > 0)) return null;
  return { low, high, counts, total };
}

/** Lower and upper edge of a bucket. */
export function bucketBounds({ low, high, counts }: Histogram, bucket: number): readonly [number, number] {
  const width = (high - low) / counts.length;
  return [low + bucket * width, bucket === counts.length - 1 ? high : low + (bucket + 1) * width];
}

/** If the widest histogram is this many times wider than the median, equal rows would reduce the median to a line. */
const UNEVEN = 20;
/** The linear part of the symmetric-log axis, as a fraction of the median reach. */
const BEND = 0.05;

export interface ValueRows {
  /** Ascending, one more than there are rows. */
  readonly edges: readonly number[];
  readonly isSymlog: boolean;
}

/** Rows of values that cover all histograms; null without histograms. */
export function valueRows(histograms: readonly (Histogram | null)[], count: number): ValueRows | null {
  const known = histograms.filter((each) => each !== null);
  const ends = Float32Array.from(known.flatMap(({ low, high }) => [low, high]));
  const extent = extentOf(ends);
  if (extent === null) return null;
  const { low, high } = widened(extent.low, extent.high);
  const reaches = Float32Array.from(known.map((each) => Math.max(Math.abs(each.low), Math.abs(each.high))));
  const usual = medianSize(reaches);
  const isSymlog = Math.max(Math.abs(low), Math.abs(high)) > UNEVEN * usual;
  if (!isSymlog) return { edges: roundEdges(low, high, count), isSymlog };
  const constant = usual * BEND;
  const bend = (value: number) => Math.sign(value) * Math.log1p(Math.abs(value) / constant);
  const straighten = (place: number) => Math.sign(place) * constant * Math.expm1(Math.abs(place));
  const [from, to] = [bend(low), bend(high)];
  const edges = Array.from({ length: count + 1 }, (_, index) => straighten(from + ((to - from) * index) / count));
  return { edges: shortened(edges, low, high), isSymlog };
}

/** The same edges with few digits, as far as they stay apart; the ends hold all values. */
function shortened(edges: readonly number[], low: number, high: number): readonly number[] {
  const inner = edges.slice(1, -1);
  const withEnds = (digits: number) => [low, ...inner.map((edge) => Number(edge.toPrecision(digits))), high];
  const grows = (all: readonly number[]) => all.every((edge, index) => index === 0 || edge > (all[index - 1] ?? edge));
  return [2, 3].map(withEnds).find(grows) ?? withEnds(17);
}

/** Heights of a row whose multiples by five are round, too; the power of ten is apart. */
const ROUND = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20];
const ROUNDING = 1e-9;

/** Edges of equal rows at multiples of a round height, so that the labels are round. */
function roundEdges(low: number, high: number, count: number): number[] {
  const power = 10 ** Math.floor(Math.log10((high - low) / count));
  const firstOf = (height: number) => Math.floor(low / height + ROUNDING);
  const heights = ROUND.map((part) => part * power);
  const height = heights.find((each) => Math.ceil(high / each - ROUNDING) - firstOf(each) <= count) ?? high - low;
  return Array.from({ length: count + 1 }, (_, index) => (firstOf(height) + index) * height);
}

function widened(low: number, high: number) {
  if (low !== high) return { low, high };
  const margin = Math.abs(low) / 2 || 1;
  return { low: low - margin, high: high + margin };
}

/**
 * Shares of the values in each row at each step, `[rows, steps]`, the highest values in the first row.
 * Values count as evenly spread within a bucket. NaN where no histogram was measured.
 */
export function shareRows(histograms: readonly (Histogram | null)[], { edges }: ValueRows): Float32Array {
  const rows = edges.length - 1;
  const steps = histograms.length;
  const shares = new Float32Array(rows * steps);
  histograms.forEach((histogram, step) => {
    const column = histogram === null ? new Float32Array(rows).fill(Number.NaN) : sharesOf(histogram, edges);
    column.forEach((share, row) => {
      shares[(rows - 1 - row) * steps + step] = share;
    });
  });
  return shares;
}

function sharesOf(histogram: Histogram, edges: readonly number[]): Float32Array {
  const shares = new Float32Array(edges.length - 1);
  histogram.counts.forEach((count, bucket) => {
    if (count === 0) return;
    const [from, to] = bucketBounds(histogram, bucket);
    const first = rowOf(from, edges);
    const last = from === to ? first : rowOf(to, edges);
    for (let row = first; row <= last; row++) {
      const overlap = Math.min(to, edges[row + 1] ?? to) - Math.max(from, edges[row] ?? from);
      const part = from === to ? 1 : Math.max(0, overlap) / (to - from);
      shares[row] = (shares[row] ?? 0) + (part * count) / histogram.total;
    }
  });
  return shares;
}

/** The row that contains the value; the last row includes its upper edge. */
function rowOf(value: number, edges: readonly number[]): number {
  let row = edges.findLastIndex((edge) => edge <= value);
  row = Math.min(edges.length - 2, row);
  return Math.max(0, row);
}
