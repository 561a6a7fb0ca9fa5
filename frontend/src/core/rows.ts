import { allGroups, foldedGroup } from "./groups";
import type { Reduce } from "./raster";

/** A row of a chart over layers: a layer, or a collapsed model with all its layers. */
export interface LayerRows {
  /** Name of the layer, or path of the model. */
  readonly name: string;
  readonly isGroup: boolean;
  /** Rows of the frame that it stands for. */
  readonly members: readonly number[];
}

/** One row per layer in call order; a collapsed model is one row, where its first layer was. */
export function foldedRows(
  names: readonly string[],
  folded: ReadonlySet<string>,
  isShown: (name: string) => boolean = () => true,
): LayerRows[] {
  const groups = folded.size === 0 ? NO_GROUPS : new Set(allGroups(names));
  const rows = new Map<string, { name: string; isGroup: boolean; members: number[] }>();
  names.forEach((name, index) => {
    if (!isShown(name)) return;
    const group = foldedGroup(name, groups, folded);
    const row = rows.get(group ?? name) ?? { name: group ?? name, isGroup: group !== null, members: [] };
    row.members.push(index);
    rows.set(row.name, row);
  });
  return [...rows.values()];
}

const NO_GROUPS: ReadonlySet<string> = new Set();

/** The row of the layer, or of the collapsed model that contains it; -1 without one. */
export function rowOfLayer(rows: readonly LayerRows[], index: number): number {
  return rows.findIndex(({ members }) => members.includes(index));
}

/** `[rows, steps]` of these rows, from `[layers, steps]`; the same array if nothing changes. */
export function mergedRows(
  values: Float32Array,
  stepCount: number,
  rows: readonly LayerRows[],
  reduce: Reduce,
): Float32Array {
  const isSame = rows.length * stepCount === values.length && rows.every(({ members }, row) => members[0] === row);
  if (isSame) return values;
  const merged = new Float32Array(rows.length * stepCount).fill(Number.NaN);
  rows.forEach(({ members }, row) => {
    for (const member of members) {
      for (let step = 0; step < stepCount; step++) {
        const place = row * stepCount + step;
        merged[place] = reduce(merged[place] ?? Number.NaN, values[member * stepCount + step] ?? Number.NaN);
      }
    }
  });
  return merged;
}

/** "encoder (12)" for a collapsed model. */
export function rowTitle({ name, isGroup, members }: LayerRows): string {
  return isGroup ? `\u25b8 ${name} (${members.length})` : name;
}

/** The end of a name, because names of nested layers differ there. */
export function endOfName(name: string, characters: number): string {
  return name.length <= characters ? name : `\u2026${name.slice(name.length - Math.max(1, characters - 1))}`;
}
