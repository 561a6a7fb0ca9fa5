import { useSignal } from "@preact/signals";
import { GLYPHS } from "../../charts/look";
import { panBy } from "../../core/axis";
import { formatAge, formatCount, formatDuration, plural } from "../../core/format";
import { filterRuns } from "../../core/landing";
import { MOST_RUNS } from "../../core/runs";
import { stateWord } from "../../core/severity";
import { X_KINDS, type XKind } from "../../core/timeline";
import type { Run } from "../../core/types";
import type { Store } from "../../state/store";
import { closeOnLeaving } from "../parts/menu";
import { KeyboardHelp, type KeyboardStore } from "./keyboard_help";
import { Share, type ShareStore } from "./share";

type HeaderStore = KeyboardStore &
  ShareStore &
  Pick<
    Store,
    | "chooseOthers"
    | "chooseRun"
    | "chooseX"
    | "cursor"
    | "description"
    | "health"
    | "isXKnown"
    | "now"
    | "others"
    | "pinStep"
    | "pinnedStep"
    | "run"
    | "showAllRuns"
    | "training"
    | "view"
    | "x"
    | "zoom"
    | "zoomTo"
  >;

function runLabel(run: Run): string {
  if (!run.readable) return `${run.name} \u2013 unreadable`;
  if (run.severity === null) return `${run.name} \u2013 no open findings`;
  return `${GLYPHS[run.severity]} ${run.name} \u2013 ${stateWord(run.severity).toLowerCase()}`;
}

/** Run picker, extent of the recording, and the step that all panels mark. */
export function Header({ store, runs }: { readonly store: HeaderStore; readonly runs: readonly Run[] }) {
  const run = store.run.value;
  return (
    <div class="bar">
      {runs.length > 1 && (
        <button type="button" id="all-runs" onClick={store.showAllRuns}>
          <span aria-hidden="true">‹ </span>All {formatCount(runs.length)} runs
        </button>
      )}
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
      <RunChooser store={store} runs={runs} />
      <AxisChooser store={store} />
      {run?.readable === true && <RunFacts store={store} run={run} />}
      <div class="bar-end">
        <StepField store={store} />
        <Share store={store} />
        <KeyboardHelp store={store} />
      </div>
    </div>
  );
}

const MANY_RUNS = 8;

/** Chooses the runs to compare with the main one. */
function RunChooser({ store, runs }: { readonly store: HeaderStore; readonly runs: readonly Run[] }) {
  const candidates = runs.filter(({ name, readable }) => readable && name !== store.run.value?.name);
  const pattern = useSignal("");
  if (candidates.length === 0) return null;
  const { runs: matching, problem } = filterRuns(candidates, pattern.value);
  const chosen = store.others.value.map(({ name }) => name);
  const isFull = chosen.length >= MOST_RUNS - 1;
  return (
    <details class="menu" ref={closeOnLeaving}>
      <summary>{chosen.length === 0 ? "Compare" : `Compare: ${chosen.length} more`}</summary>
      <fieldset>
        <legend class="only-read">Runs to compare</legend>
        {candidates.length > MANY_RUNS && (
          <input
            type="search"
            aria-label="Filter runs to compare"
            placeholder="Filter runs (regex)"
            aria-invalid={problem !== ""}
            value={pattern.value}
            onInput={(event) => {
              pattern.value = event.currentTarget.value;
            }}
          />
        )}
        {matching.map(({ name }) => {
          const isOn = chosen.includes(name);
          return (
            <label key={name}>
              <input
                type="checkbox"
                checked={isOn}
                disabled={isFull && !isOn}
                onChange={() => store.chooseOthers(isOn ? chosen.filter((each) => each !== name) : [...chosen, name])}
              />
              <span>{name}</span>
            </label>
          );
        })}
        {isFull && <p class="menu-note">At most {MOST_RUNS} runs fit into one chart.</p>}
      </fieldset>
    </details>
  );
}

const X_WORDS: Readonly<Record<XKind, string>> = { step: "Step", epoch: "Epoch", time: "Time" };

/** Unit and range of the horizontal axes. */
function AxisChooser({ store }: { readonly store: HeaderStore }) {
  return (
    <div class="field">
      <fieldset class="choice">
        <legend class="only-read">Horizontal axis</legend>
        {X_KINDS.map((kind) => (
          <button key={kind} type="button" aria-pressed={store.x.value === kind} onClick={() => store.chooseX(kind)}>
            {X_WORDS[kind]}
          </button>
        ))}
      </fieldset>
      {!store.isXKnown.value && !store.training.value.isLoading && <span>not recorded, showing steps</span>}
      <ZoomField store={store} />
    </div>
  );
}

function ZoomField({ store }: { readonly store: HeaderStore }) {
  const zoom = store.zoom.value;
  if (zoom === null) return null;
  const pan = (share: number) => store.zoomTo(panBy(zoom, store.view.value.whole, share));
  return (
    <span class="zoom-field">
      <button type="button" aria-label="Earlier steps" onClick={() => pan(-0.5)}>
        ‹
      </button>
      steps {formatCount(Math.ceil(zoom.from))} to {formatCount(Math.floor(zoom.to))}
      <button type="button" aria-label="Later steps" onClick={() => pan(0.5)}>
        ›
      </button>
      <button type="button" class="quiet" onClick={() => store.zoomTo(null)}>
        All steps
      </button>
    </span>
  );
}

function Freshness({ store, run }: { readonly store: HeaderStore; readonly run: Run }) {
  const recorded = new Date(run.last_time * 1000).toLocaleString();
  const duration = formatDuration(run.last_time - run.start_time);
  return (
    <span title={`last record ${recorded}, ${duration} after the start; first step ${formatCount(run.first_step)}`}>
      last step {formatCount(run.last_step)}, {formatAge(store.now.value - run.last_time)}
    </span>
  );
}

function RunFacts({ store, run }: { readonly store: HeaderStore; readonly run: Run }) {
  const description = store.description.value.value;
  const shown = store.health.value.value?.header;
  return (
    <p class="facts">
      {description !== null && <span>{description.model}</span>}
      {run.records > 0 && <Freshness store={store} run={run} />}
      {shown !== undefined && (
        <span>
          {formatCount(shown.steps.length)} of {plural(shown.recorded_steps, "recorded step")} shown
        </span>
      )}
    </p>
  );
}

function StepField({ store }: { readonly store: HeaderStore }) {
  const cursor = store.cursor.value;
  const pinned = store.pinnedStep.value;
  return (
    <p class="step-field">
      <span>{cursor === null ? "Latest step" : store.view.value.stepWords(cursor)}</span>
      {pinned !== null && (
        <button type="button" class="quiet" onClick={() => store.pinStep(null)} title="Return to the latest step">
          Unpin
        </button>
      )}
    </p>
  );
}
