import type { Store } from "../../state/store";

/** Where runs are compared: names the run that a panel for a single run shows. */
export function MainRunNote({ store }: { readonly store: Pick<Store, "runStyles"> }) {
  const [main, ...others] = store.runStyles.value;
  return main === undefined || others.length === 0 ? null : <p class="about">Only of {main.name}</p>;
}
