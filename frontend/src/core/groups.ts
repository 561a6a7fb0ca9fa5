/** A nested model, or a layer. */
export type TreeNode<Item> =
  | { readonly kind: "group"; readonly path: string; readonly members: readonly Item[]; readonly isFolded: boolean }
  | { readonly kind: "item"; readonly item: Item; readonly depth: number };

const SEPARATOR = "/";

/** Paths of all models that contain a layer, outermost first: "a/b/dense" is in "a" and "a/b". */
export function groupsOf(name: string): string[] {
  const parts = name.split(SEPARATOR);
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join(SEPARATOR));
}

/** Every model that contains at least two of the layers, in call order. */
export function allGroups(names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const name of names) for (const path of groupsOf(name)) counts.set(path, (counts.get(path) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1).map(([path]) => path);
}

/** The outermost collapsed model that contains the layer; null if the layer is visible. */
export function foldedGroup(name: string, groups: ReadonlySet<string>, folded: ReadonlySet<string>): string | null {
  return groupsOf(name).find((path) => groups.has(path) && folded.has(path)) ?? null;
}

/** Rows of an outline in call order: each model precedes its first layer; collapsed models hide their rows. */
export function outline<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  folded: ReadonlySet<string>,
): TreeNode<Item>[] {
  const groups = new Set(allGroups(items.map(nameOf)));
  const told = new Set<string>();
  const rows: TreeNode<Item>[] = [];
  for (const item of items) {
    const name = nameOf(item);
    const paths = groupsOf(name).filter((path) => groups.has(path));
    const hidden = foldedGroup(name, groups, folded);
    for (const path of paths) {
      if (told.has(path) || (hidden !== null && path.length > hidden.length)) continue;
      told.add(path);
      const members = items.filter((other) => nameOf(other).startsWith(path + SEPARATOR));
      rows.push({ kind: "group", path, members, isFolded: folded.has(path) });
    }
    if (hidden === null) rows.push({ kind: "item", item, depth: paths.length });
  }
  return rows;
}
