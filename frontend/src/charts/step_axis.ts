import { useMemo } from "preact/hooks";
import { type StepAxis, stepAxis } from "../core/axis";
import type { StepView } from "../core/view";

/** The horizontal axis of a chart with these recorded steps; all charts have the same extent. */
export function useStepAxis(steps: readonly number[], { timeline, zoom, whole }: StepView): StepAxis {
  return useMemo(() => stepAxis(steps, timeline, zoom ?? whole), [steps, timeline, zoom, whole.from, whole.to]);
}
