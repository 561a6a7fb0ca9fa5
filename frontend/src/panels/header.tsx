import { GLYPHS } from "../charts/look";
import { formatAge, formatCount, formatDuration, formatValue, plural } from "../core/format";
import { stateWord } from "../core/severity";
import type { Run } from "../core/types";
import type { Store } from "../state/store";
import { KeyboardHelp } from "./keyboard_help";

function runLabel(run: Run): string {
  if (!run.readable) return `${run.name} \u2013 cannot be read`;
  if (run.severity === null) return `${run.name} \u2013 no open finding`;
  return `${GLYPHS[run.severity]} ${run.name} \u2013 ${stateWord(run.severity).toLowerCase()}`;
}

/** Run picker, how much was recorded, and the step all panels mark. */
export function Header({ store, runs }: { readonly store: Store; readonly runs: readonly Run[] }) {
  const run = store.run.value;
  return (
    <div class="bar">
      <div class="field">
        <label for="run">Run</label>
        <select id="run" value={run?.name ?? ""} onChange={(event) => store.chooseRun(event.currentTarget.value)}>
          {runs.map((each) => (
            <option key={each.name} value={each.name} selected={each.name === run?.name}>
              {runLabel(each)}
            </option>
          ))}
        </select>
      </div>
      {run?.readable === true && <RunFacts store={store} run={run} />}
      <div class="bar-end">
        <StepField store={store} />
        <KeyboardHelp store={store} />
      </div>
    </div>
  );
}

function Freshness({ store, run }: { readonly store: Store; readonly run: Run }) {
  const recorded = new Date(run.last_time * 1000).toLocaleString();
  const duration = formatDuration(run.last_time - run.start_time);
  return (
    <span title={`recorded ${recorded}, ${duration} after the start; first step ${formatCount(run.first_step)}`}>
      last step {formatCount(run.last_step)}, {formatAge(store.now.value - run.last_time)}
    </span>
  );
}

/** A budget spreads the cost over the run; a run of seconds is over before it can. */
function overheadWords(overhead: number, budget: unknown): string {
  const words = `observing took ${formatValue(overhead, "share")} of training time`;
  if (typeof budget !== "number" || overhead <= budget) return words;
  return `${words} (budget ${formatValue(budget, "share")} on longer runs)`;
}

function RunFacts({ store, run }: { readonly store: Store; readonly run: Run }) {
  const description = store.description.value.value;
  const shown = store.matrix.value.value?.header;
  const overhead = description?.cost?.overhead ?? null;
  return (
    <p class="facts">
      {description !== null && <span>{description.model}</span>}
      {run.records > 0 && <Freshness store={store} run={run} />}
      {shown !== undefined && (
        <span>
          {formatCount(shown.steps.length)} of {plural(shown.recorded_steps, "recorded step")} shown
        </span>
      )}
      {overhead !== null && <span>{overheadWords(overhead, description?.cadence.overhead)}</span>}
    </p>
  );
}

function StepField({ store }: { readonly store: Store }) {
  const cursor = store.cursor.value;
  const pinned = store.pinnedStep.value;
  return (
    <p class="step-field">
      <span>{cursor === null ? "Latest step" : `Step ${formatCount(cursor)}`}</span>
      {pinned !== null && (
        <button type="button" class="quiet" onClick={() => store.pinStep(null)} title="Show the latest step again">
          Unpin
        </button>
      )}
    </p>
  );
}
