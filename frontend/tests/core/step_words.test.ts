import { expect, it } from "vitest";
import type { Frame, SeriesHeader } from "../../src/core/frame";
import { stepFacts, stepWords } from "../../src/core/step_words";

const TRAINING = {
  header: { steps: [0, 600], stats: ["loss", "epoch", "samples"], wall_times: [100, 112] } as unknown as SeriesHeader,
  data: Float32Array.from([1, 0.5, 0, 3, 32, 5]),
} as Frame<SeriesHeader>;

it("tells the batch size at the cursor, because a partial batch explains odd values", () => {
  expect(stepWords(600, stepFacts(TRAINING, 600))).toBe("Step 600, epoch 3, after 12 s, 5 samples");
});

it("tells nothing that was not recorded", () => {
  expect(stepWords(1200, stepFacts(TRAINING, 1200))).toBe("Step 1,200");
  expect(stepWords(7, stepFacts(null, 7))).toBe("Step 7");
});
