import { useMemo } from "preact/hooks";
import { allGroups } from "../../core/groups";
import type { Store } from "../../state/store";

interface FoldProps {
  readonly store: Pick<Store, "fold" | "folded">;
  readonly names: readonly { readonly name: string }[];
}

/** Collapses or expands all nested models, in all panels at once; nothing for a model without nested ones. */
export function FoldModels({ store, names }: FoldProps) {
  const groups = useMemo(() => allGroups(names.map(({ name }) => name)), [names]);
  if (groups.length === 0) return null;
  const isAnyOpen = groups.some((path) => !store.folded.value.has(path));
  return (
    <button type="button" onClick={() => store.fold(groups, isAnyOpen)}>
      {isAnyOpen ? "Collapse nested models" : "Expand nested models"}
    </button>
  );
}
