import type { LeftOut, UnitLife } from "./types";

/** A numeric answer: a JSON header and little-endian float32 data in row-major order, NaN = not measured. */
export interface Frame<Header extends FrameHeader = FrameHeader> {
  readonly header: Header;
  readonly data: Float32Array;
}

export interface FrameHeader {
  readonly run: string;
  readonly shape: readonly number[];
  readonly steps: readonly number[];
  readonly recorded_steps: number;
}

export interface MatrixHeader extends FrameHeader {
  /** Names of the rows. */
  readonly layers: readonly string[];
  readonly stat: string;
  readonly wall_times: readonly number[];
  readonly low: number | null;
  readonly high: number | null;
  readonly left_out: LeftOut;
}

export interface SeriesHeader extends FrameHeader {
  /** Null for statistics of the training itself. */
  readonly layer: string | null;
  readonly stats: readonly string[];
  readonly wall_times: readonly number[];
  /** By statistic the thresholds that its values are compared with. */
  readonly lines: Readonly<Record<string, readonly Line[]>>;
}

/** A threshold: its value, and what it is in words. */
export interface Line {
  readonly value: number;
  readonly words: string;
}

export interface UnitsHeader extends FrameHeader {
  readonly layer: string;
  readonly lives: readonly UnitLife[];
  readonly left_out: LeftOut;
}

export type HistogramKind = "activation" | "gradient";

export interface HistogramsHeader extends FrameHeader {
  readonly layer: string;
  readonly kind: HistogramKind;
}

/** Cells of recurrent layers over time: `[outputs and gradients, steps, bins]`. */
export interface SequencesHeader extends FrameHeader {
  readonly layer: string;
  /** Number of time steps at each step. */
  readonly lengths: readonly number[];
  /** One sentence for each step: how far back the gradient reaches. */
  readonly readings: readonly string[];
}

const LENGTH_BYTES = 4;

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function isHeader(value: unknown): value is FrameHeader {
  if (typeof value !== "object" || value === null) return false;
  const header = value as Partial<Record<keyof FrameHeader, unknown>>;
  return (
    Array.isArray(header.shape) &&
    header.shape.every(isCount) &&
    Array.isArray(header.steps) &&
    header.steps.every((step) => typeof step === "number") &&
    isCount(header.recorded_steps)
  );
}

/** Reads a frame. Throws an Error with the mismatch if the bytes are not a complete frame. */
export function decodeFrame<Header extends FrameHeader>(buffer: ArrayBuffer): Frame<Header> {
  if (buffer.byteLength < LENGTH_BYTES) throw new Error(`a frame of ${buffer.byteLength} bytes has no header`);
  const headerLength = new DataView(buffer).getUint32(0, true);
  const start = LENGTH_BYTES + headerLength;
  if (start > buffer.byteLength) {
    throw new Error(`a frame of ${buffer.byteLength} bytes cannot hold a header of ${headerLength} bytes`);
  }
  const header: unknown = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, LENGTH_BYTES, headerLength)));
  if (!isHeader(header)) throw new Error("the header of a frame lacks shape, steps or recorded_steps");
  const count = header.shape.reduce((product, length) => product * length, 1);
  const expected = start + count * Float32Array.BYTES_PER_ELEMENT;
  if (buffer.byteLength !== expected) {
    throw new Error(`a frame of shape [${header.shape.join(", ")}] has ${buffer.byteLength} bytes, not ${expected}`);
  }
  return { header: header as Header, data: readFloats(buffer, start, count) };
}

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function readFloats(buffer: ArrayBuffer, start: number, count: number): Float32Array {
  if (IS_LITTLE_ENDIAN && start % Float32Array.BYTES_PER_ELEMENT === 0) return new Float32Array(buffer, start, count);
  const view = new DataView(buffer, start);
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) {
    values[index] = view.getFloat32(index * Float32Array.BYTES_PER_ELEMENT, true);
  }
  return values;
}
