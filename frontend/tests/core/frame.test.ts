import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../src/core/frame";

function encode(header: object, values: readonly number[]): ArrayBuffer {
  const text = JSON.stringify(header);
  const padded = text.padEnd(Math.ceil(text.length / 4) * 4);
  const buffer = new ArrayBuffer(4 + padded.length + values.length * 4);
  const view = new DataView(buffer);
  view.setUint32(0, padded.length, true);
  new Uint8Array(buffer, 4, padded.length).set(new TextEncoder().encode(padded));
  values.forEach((value, index) => {
    view.setFloat32(4 + padded.length + index * 4, value, true);
  });
  return buffer;
}

const HEADER = { shape: [2, 2], steps: [0, 10], recorded_steps: 7, stat: "mean" };

describe("decodeFrame", () => {
  it("gives header and values, NaN and infinity included", () => {
    const frame = decodeFrame(encode(HEADER, [1.5, Number.NaN, Number.NEGATIVE_INFINITY, 0]));
    expect(frame.header).toEqual(HEADER);
    expect([...frame.data]).toEqual([1.5, Number.NaN, Number.NEGATIVE_INFINITY, 0]);
  });

  it("reads a frame without steps", () => {
    expect(decodeFrame(encode({ shape: [3, 0], steps: [], recorded_steps: 0 }, [])).data).toHaveLength(0);
  });

  it.each([
    ["an empty answer", new ArrayBuffer(0), /0 bytes has no header/],
    ["a cut-off answer", encode(HEADER, [1, 2, 3]), /shape \[2, 2\] has \d+ bytes/],
    ["a header longer than the answer", new Uint8Array([255, 0, 0, 0, 1]).buffer, /header of 255 bytes/],
    ["a header without shape", encode({ steps: [], recorded_steps: 0 }, []), /lacks shape/],
    ["a negative length", encode({ ...HEADER, shape: [-1, 2] }, []), /lacks shape/],
  ])("refuses %s", (_, buffer, message) => {
    expect(() => decodeFrame(buffer)).toThrow(message);
  });
});
