import { useMemo } from "preact/hooks";
import { formatAge, formatCount } from "../../core/format";
import { nextRecord, nextRecordWords, pulseOf } from "../../core/next_record";
import { FRESH } from "../../state/polling";
import type { Store } from "../../state/store";

export type HeartbeatStore = Pick<Store, "description" | "now" | "run" | "training">;

/** While a training may still run: when it was last observed, and when it will be again; for a while, that it ended. */
export function Heartbeat({ store }: { readonly store: HeartbeatStore }) {
  const run = store.run.value;
  const training = store.training.value.value;
  const description = store.description.value.value;
  const next = useMemo(() => {
    if (training === null || description === null) return null;
    const { steps, wall_times } = training.header;
    const { cost, cadence } = description;
    return nextRecord({
      steps,
      wallTimes: wall_times,
      frequency: cadence.update_freq,
      budget: cadence.overhead,
      overhead: cost?.overhead ?? null,
      observationSeconds: cost?.observation_seconds ?? null,
    });
  }, [training, description]);
  if (run === null || run.records === 0) return null;
  const age = store.now.value - run.last_time;
  const isWatched = age < FRESH || (next !== null && age < next.seconds * 2 + FRESH);
  if (!isWatched) return null;
  if (run.has_ended) {
    return (
      <p class="heartbeat">{`The training ended ${formatAge(age)}. Last record: step ${formatCount(run.last_step)}.`}</p>
    );
  }
  const last = `Last record: step ${formatCount(run.last_step)}, ${formatAge(age)}.`;
  if (next === null) return <p class="heartbeat">{last}</p>;
  const pulse = pulseOf(next, age);
  return (
    <p class={`heartbeat heartbeat-${pulse}`}>
      {last}{" "}
      {pulse === "recording"
        ? `${nextRecordWords(next, age)}.`
        : "The next record is overdue: the training may have ended."}
    </p>
  );
}
