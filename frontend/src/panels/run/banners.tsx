import { sentence } from "../../core/format";
import { leftOutWords } from "../../core/left_out";
import type { Store } from "../../state/store";

/** A refresh failed while older answers are still shown. */
export function StaleBanner({ store }: { readonly store: Pick<Store, "loaded" | "reload"> }) {
  const stale = store.loaded.map(({ value }) => value).find(({ value, error }) => value !== null && error !== null);
  if (stale?.error == null) return null;
  return (
    <div class="banner" role="status">
      <p>Could not refresh: {sentence(stale.error.message)} Showing the last loaded data.</p>
      <button type="button" onClick={store.reload}>
        Retry
      </button>
    </div>
  );
}

/** What the server omitted because the answer would be too large. */
export function LeftOutBanner({ store }: { readonly store: Pick<Store, "leftOut"> }) {
  const words = leftOutWords(store.leftOut.value);
  if (words === "") return null;
  return (
    <div class="banner" role="status">
      <p>Too much data to show. Omitted: {words}.</p>
    </div>
  );
}

/** Another run is shown than the one in the address. */
export function MissingRunBanner({ store }: { readonly store: Pick<Store, "missingRun" | "run" | "chooseRun"> }) {
  const asked = store.missingRun.value;
  const shown = store.run.value;
  if (asked === null || shown === null) return null;
  return (
    <div class="banner" role="status">
      <p>
        Run “{asked}” not found. Showing “{shown.name}”.
      </p>
      <button type="button" onClick={() => store.chooseRun(shown.name)}>
        Dismiss
      </button>
    </div>
  );
}
