import { formatCount, formatDuration, plural } from "./format";
import type { Frame, SeriesHeader } from "./frame";
import { frameRow } from "./points";
import { nearestStep } from "./scale";

/** What was recorded about a step itself; null where it was not. */
export interface StepFacts {
  readonly epoch: number | null;
  readonly samples: number | null;
  /** Since the first record. */
  readonly seconds: number | null;
}

/** From the metrics of the training. */
export function stepFacts(training: Frame<SeriesHeader> | null, step: number): StepFacts {
  const { steps = [], stats = [], wall_times = [] } = training?.header ?? {};
  const index = nearestStep(steps, step);
  if (training === null || steps[index] !== step) return { epoch: null, samples: null, seconds: null };
  const at = (id: string) => {
    const value = stats.includes(id) ? frameRow(training.data, stats.indexOf(id), steps.length)[index] : undefined;
    return value !== undefined && Number.isFinite(value) ? value : null;
  };
  const seconds = (wall_times[index] ?? Number.NaN) - (wall_times[0] ?? Number.NaN);
  return { epoch: at("epoch"), samples: at("samples"), seconds: Number.isFinite(seconds) ? seconds : null };
}

/** "Step 600, epoch 3, after 12 s, 32 samples". Epochs are counted from 0, as on the axis. */
export function stepWords(step: number, { epoch, samples, seconds }: StepFacts): string {
  return [
    `Step ${formatCount(step)}`,
    epoch === null ? "" : `epoch ${formatCount(epoch)}`,
    seconds === null || seconds < 0 ? "" : `after ${formatDuration(seconds)}`,
    samples === null ? "" : plural(samples, "sample"),
  ]
    .filter((part) => part !== "")
    .join(", ");
}
