import type { Store } from "../../state/store";
import { FullState } from "../parts/full_state";

const CODE = `from tb_activations import LayerHealth

model.fit(x, y, callbacks=[LayerHealth("logs/run-1")])`;
const COMMAND = "tensorboard --logdir logs";

/** How to get a first run into an empty log directory. */
export function EmptyState({ store }: { readonly store: Pick<Store, "reload"> }) {
  return (
    <FullState title="No Layer Health runs yet">
      <p>Add the callback to your training script:</p>
      <pre>
        <code>{CODE}</code>
      </pre>
      <p>Start TensorBoard with the folder that contains the run:</p>
      <pre>
        <code>{COMMAND}</code>
      </pre>
      <p>Records appear within seconds of the first observed step. If training is already running, reload.</p>
      <p>
        <button type="button" onClick={store.reload}>
          Reload
        </button>
      </p>
    </FullState>
  );
}
