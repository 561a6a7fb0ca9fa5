import { sentence } from "../../core/format";
import { failedRules } from "../../core/severity";
import type { Verdict } from "../../core/types";
import type { Store } from "../../state/store";
import { Badge } from "../parts/badge";

type VerdictStore = Pick<Store, "chooseLayer" | "description" | "findings" | "layer" | "openDrawer">;

/** The state of the run in one sentence. */
export function VerdictLine({ store }: { readonly store: VerdictStore }) {
  const loaded = store.findings.value;
  if (loaded.value === null) {
    if (loaded.error === null) return <div class="verdict skeleton" aria-hidden="true" />;
    return (
      <div class="verdict message-error" role="alert">
        <p>Could not load the verdict: {sentence(loaded.error.message)}</p>
      </div>
    );
  }
  const { verdict } = loaded.value;
  const description = store.description.value.value;
  // Needs the layers to distinguish "nothing found" from "nothing evaluated".
  if (description === null) return <div class="verdict skeleton" aria-hidden="true" />;
  const failed = failedRules(description.layers, description.rules);
  const state = verdict.severity ?? (failed === "" ? "ok" : "error");
  const isPartly = state === "error" && verdict.rules_checked > 0;
  return (
    <div class={`verdict verdict-${state}`}>
      <Badge state={state} word={isPartly ? "Not fully evaluated" : undefined} />
      <div class="verdict-words">
        <h1>
          {startWith(verdict)}
          {verdict.sentence}
        </h1>
        {failed !== "" && <p>Rules that failed: {failed}.</p>}
      </div>
      <ShowLayer store={store} verdict={verdict} />
      <button type="button" onClick={() => store.openDrawer(null)}>
        Thresholds
      </button>
    </div>
  );
}

/** Where the sentence begins with the layer of the root cause. */
function startWith({ layer, severity, sentence: words }: Verdict): string {
  return severity !== null && severity !== "note" && layer !== "" && words.startsWith(`${layer}:`) ? "Start with " : "";
}

function ShowLayer({ store, verdict }: { readonly store: VerdictStore; readonly verdict: Verdict }) {
  const { layer } = verdict;
  if (layer === "" || layer === store.layer.value?.name) return null;
  return (
    <button type="button" onClick={() => store.chooseLayer(layer)}>
      Show {layer}
    </button>
  );
}
