import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Store } from "../../state/store";
import { copyText } from "../parts/save";

export type ShareStore = Pick<Store, "address" | "reportAddress" | "run">;

/** Passes on what is shown: the address of this view, and the report of the run as a file. */
export function Share({ store }: { readonly store: ShareStore }) {
  const outcome = useSignal<"none" | "copied" | "failed">("none");
  const dialog = useRef<HTMLDialogElement>(null);
  const copy = async () => {
    outcome.value = (await copyText(store.address())) ? "copied" : "failed";
    if (outcome.value === "failed") dialog.current?.showModal();
  };
  if (store.run.value?.readable !== true) return null;
  return (
    <>
      <button type="button" onClick={copy}>
        Copy link
      </button>
      <a class="button" href={store.reportAddress()} download>
        Save report
      </a>
      <span class="only-read" role="status">
        {outcome.value === "copied" ? "Link copied" : ""}
      </span>
      {outcome.value === "copied" && (
        <span class="quiet-words" aria-hidden="true">
          Copied
        </span>
      )}
      <dialog ref={dialog} class="help" aria-labelledby="link-title">
        <h2 id="link-title">Copy this link</h2>
        <p>The browser does not let this page use the clipboard.</p>
        <input
          class="link-field"
          aria-label="Link"
          readOnly
          value={outcome.value === "failed" ? store.address() : ""}
          onFocus={(event) => event.currentTarget.select()}
        />
        <p>
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </p>
      </dialog>
    </>
  );
}
