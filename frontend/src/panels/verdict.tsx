import { plural } from "../core/format";
import type { Verdict } from "../core/types";
import type { Store } from "../state/store";
import { Badge } from "./badge";

/** The state of the run in one sentence. */
export function VerdictLine({ store }: { readonly store: Store }) {
  const loaded = store.findings.value;
  if (loaded.value === null) {
    if (loaded.error === null) return <div class="verdict skeleton" aria-hidden="true" />;
    return (
      <div class="verdict message-error" role="alert">
        <p>The verdict could not be loaded: {loaded.error.message}</p>
      </div>
    );
  }
  const { verdict } = loaded.value;
  const description = store.description.value.value;
  // Whether nothing was found or nothing was evaluated is known only with the layers.
  if (description === null) return <div class="verdict skeleton" aria-hidden="true" />;
  const failing = description.layers.filter(({ outcomes }) => outcomes.includes("error")).length;
  const state = verdict.severity ?? (failing > 0 ? "error" : "ok");
  return (
    <div class={`verdict verdict-${state}`}>
      <Badge state={state} />
      <div class="verdict-words">
        <h1>{verdict.sentence}</h1>
        {failing > 0 && <p>A rule failed on {plural(failing, "layer")}: not everything was evaluated.</p>}
      </div>
      <ShowLayer store={store} verdict={verdict} />
    </div>
  );
}

function ShowLayer({ store, verdict }: { readonly store: Store; readonly verdict: Verdict }) {
  const { layer } = verdict;
  if (layer === null || layer === "" || layer === store.layer.value?.name) return null;
  return (
    <button type="button" onClick={() => store.chooseLayer(layer)}>
      Show {layer}
    </button>
  );
}
