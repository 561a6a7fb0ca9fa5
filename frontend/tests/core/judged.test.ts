import { expect, it } from "vitest";
import type { Frame, MatrixHeader } from "../../src/core/frame";
import { isNeverJudged, withUnobserved } from "../../src/core/judged";
import { HEALTH_CODES } from "../../src/core/severity";
import { layer } from "../samples";

const [OK, NOT_APPLICABLE, WAITING, UNOBSERVED] = (
  ["ok", "not_applicable", "insufficient_data", "unobserved"] as const
).map((state) => HEALTH_CODES.indexOf(state)) as [number, number, number, number];

const FRAME = {
  header: { layers: ["a", "b"], steps: [0, 10] } as unknown as MatrixHeader,
  data: Float32Array.from([OK, WAITING, WAITING, WAITING]),
} as Frame<MatrixHeader>;

it("shows a layer that cannot be observed as such in every panel, not as waiting for data", () => {
  const marked = withUnobserved(FRAME, [layer({ name: "a" }), layer({ name: "b", not_observed: "runs in a loop" })]);
  expect([...marked.data]).toEqual([OK, WAITING, UNOBSERVED, UNOBSERVED]);
  expect(withUnobserved(FRAME, [layer({ name: "a" })])).toBe(FRAME);
});

it("tells rows that no rule judges from those that wait", () => {
  const health = Float32Array.from([UNOBSERVED, UNOBSERVED, NOT_APPLICABLE, Number.NaN, WAITING, NOT_APPLICABLE]);
  expect([0, 1, 2].map((row) => isNeverJudged(health, 2, row))).toEqual([true, true, false]);
});
