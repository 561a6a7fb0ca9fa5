import { expect, it } from "vitest";
import { rootCause } from "../../src/core/root_cause";
import { finding } from "../samples";

const ROOT = finding({ id: "root", layer: "c", since_step: 8 });
const after = (layer: string, since_step: number, rule = "vanishing_gradient") =>
  finding({ id: `${rule} ${layer}`, layer, since_step, rule, severity: "warning", root: "root" });

it("is none where nothing needs attention", () => {
  expect(rootCause([])).toBeNull();
  expect(rootCause([finding({ severity: "note" }), finding({ closed_step: 5 })])).toBeNull();
});

it("groups consequences of one kind and step, in the order of onset", () => {
  const findings = [ROOT, after("b", 30), after("d", 20, "dead_units"), after("a", 30)];
  expect(rootCause(findings)?.consequences).toEqual([
    { rule: "dead_units", step: 20, severity: "warning", layers: ["d"] },
    { rule: "vanishing_gradient", step: 30, severity: "warning", layers: ["b", "a"] },
  ]);
});

it("leaves out notes, resolved findings and what has another root", () => {
  const other = finding({ id: "other", layer: "x" });
  const findings = [
    ROOT,
    other,
    { ...after("a", 9), severity: "note" as const },
    { ...after("b", 9), closed_step: 12 },
    { ...after("y", 9), root: "other" },
  ];
  const cause = rootCause(findings);
  expect(cause?.consequences).toEqual([]);
  expect(cause?.others).toEqual([other]);
});
