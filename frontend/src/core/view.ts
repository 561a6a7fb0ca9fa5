import type { ReadonlySignal } from "@preact/signals";
import type { StepWindow } from "./axis";
import type { Timeline } from "./timeline";

/** State shared by all charts over steps. */
export interface StepView {
  readonly timeline: Timeline;
  /** Null shows all steps. */
  readonly zoom: StepWindow | null;
  /** All steps that the shown runs recorded: the same for every chart. */
  readonly whole: StepWindow;
  /** A step in the units of the axis, and its batch: "step 600, epoch 2, 32 samples". */
  stepWords(step: number): string;
  /** The step that all charts mark. */
  readonly cursor: ReadonlySignal<number | null>;
  onPinStep(step: number | null): void;
  onHoverStep(step: number | null): void;
  onZoom(zoom: StepWindow | null): void;
}
