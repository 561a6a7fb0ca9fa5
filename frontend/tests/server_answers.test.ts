import { describe, expect, it } from "vitest";
import { decodeFrame, type FrameHeader } from "../src/core/frame";
import { HEALTH_CODES } from "../src/core/severity";
import * as answers from "./server_answers";

const FRAMES: readonly (readonly [string, FrameHeader])[] = [
  [answers.matrixHeaderFrame, answers.matrixHeader],
  [answers.seriesHeaderFrame, answers.seriesHeader],
  [answers.unitsHeaderFrame, answers.unitsHeader],
  [answers.histogramsHeaderFrame, answers.histogramsHeader],
  [answers.sequencesHeaderFrame, answers.sequencesHeader],
];

/** The compiler checks the members of the answers; only their bytes and codes are left to run. */
describe("the server's answers", () => {
  it.each(FRAMES)("are read as the server wrote them: frame %#", (encoded, header) => {
    const bytes = Uint8Array.from(Buffer.from(encoded, "base64"));
    const frame = decodeFrame(bytes.buffer);
    expect(frame.header).toEqual(header);
    expect(frame.data.length).toBe(header.shape.reduce((product, length) => product * length, 1));
  });

  it("use the codes of health that the page knows", () => {
    expect(HEALTH_CODES).toEqual([...answers.healthCodeValues, "unobserved"]);
  });
});
