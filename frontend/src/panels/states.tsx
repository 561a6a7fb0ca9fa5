import type { ComponentChildren } from "preact";
import { leftOutWords } from "../core/left_out";
import { findingsWithoutLayer } from "../core/ranking";
import type { Store } from "../state/store";
import { FindingList } from "./findings";
import { Panel } from "./panel";

interface FullStateProps {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly isAlert?: boolean;
}

/** What stands in place of the panels when there is nothing to show in them. */
export function FullState({ title, children, isAlert = false }: FullStateProps) {
  return (
    <div class="full-state" role={isAlert ? "alert" : undefined}>
      <h1>{title}</h1>
      {children}
    </div>
  );
}

const CODE = `from tb_activations import LayerHealth

model.fit(x, y, callbacks=[LayerHealth("logs/run-1")])`;
const COMMAND = "tensorboard --logdir logs";

export function EmptyState({ store }: { readonly store: Store }) {
  return (
    <FullState title="No layer health has been recorded here yet">
      <p>Add the callback to the training program:</p>
      <pre>
        <code>{CODE}</code>
      </pre>
      <p>Point TensorBoard at the folder above the run:</p>
      <pre>
        <code>{COMMAND}</code>
      </pre>
      <p>
        Records appear within seconds of the first observed step. Is training running already? Reload to look again.
      </p>
      <p>
        <button type="button" onClick={store.reload}>
          Reload
        </button>
      </p>
    </FullState>
  );
}

/** What could not be refreshed while older answers are still shown. */
export function StaleBanner({ store }: { readonly store: Store }) {
  const stale = store.loaded.map(({ value }) => value).find(({ value, error }) => value !== null && error !== null);
  if (stale?.error == null) return null;
  return (
    <div class="banner" role="status">
      <p>Could not refresh: {stale.error.message} What is shown was loaded before.</p>
      <button type="button" onClick={store.reload}>
        Retry
      </button>
    </div>
  );
}

/** Tells what the server has left out because it would be too much. */
export function LeftOutBanner({ store }: { readonly store: Store }) {
  const words = leftOutWords(store.leftOut.value);
  if (words === "") return null;
  return (
    <div class="banner" role="status">
      <p>Too much to show all of it. Left out: {words}.</p>
    </div>
  );
}

/** Tells that another run is shown than the one the address names. */
export function MissingRunBanner({ store }: { readonly store: Store }) {
  const asked = store.missingRun.value;
  const shown = store.run.value;
  if (asked === null || shown === null) return null;
  return (
    <div class="banner" role="status">
      <p>
        There is no run “{asked}” here. Shown is “{shown.name}”.
      </p>
      <button type="button" onClick={() => store.chooseRun(shown.name)}>
        Dismiss
      </button>
    </div>
  );
}

/** Findings about the model as a whole. */
export function ModelFindings({ store }: { readonly store: Store }) {
  const answer = store.findings.value.value;
  const description = store.description.value.value;
  if (answer === null || description === null) return null;
  const findings = findingsWithoutLayer(answer.findings, description.layers);
  if (findings.length === 0) return null;
  return (
    <Panel id="model-findings" title="Whole model">
      <FindingList
        store={store}
        all={answer.findings}
        findings={findings}
        rules={description.rules}
        silence="No open finding about the model as a whole."
      />
    </Panel>
  );
}
