import { allGroups, foldedGroup } from "./groups";
import type { Layer } from "./types";

/** One row of the model map: a layer or a collapsed model, and the lines through the row. */
export interface MapRow {
  /** Name of the layer, or path of the collapsed model. */
  readonly name: string;
  readonly isGroup: boolean;
  /** Rows of the layer table that it represents. */
  readonly members: readonly number[];
  /** Lane of its own mark. */
  readonly lane: number;
  /** Lanes of outputs from above that this row takes; they may continue to other rows. */
  readonly inputs: readonly number[];
  /** Lanes that pass the row. */
  readonly passing: readonly number[];
  readonly hasOutput: boolean;
}

export interface ModelMap {
  readonly rows: readonly MapRow[];
  readonly laneCount: number;
  /** Whether the file says how layers are connected; otherwise they form a chain. */
  readonly isConnected: boolean;
}

/** Layers in call order, with a lane for each output until its last use. Leaves out single calls of shared layers. */
export function modelMap(layers: readonly Layer[], folded: ReadonlySet<string>): ModelMap {
  const nodes = visibleNodes(layers, folded);
  const isConnected = layers.some((layer) => layer.inputs.length > 0);
  const inputs = isConnected ? connections(layers, nodes) : nodes.map((_, row) => (row === 0 ? [] : [row - 1]));
  return { ...withLanes(nodes, inputs), isConnected };
}

interface MapNode {
  readonly name: string;
  readonly isGroup: boolean;
  readonly members: number[];
}

function visibleNodes(layers: readonly Layer[], folded: ReadonlySet<string>): MapNode[] {
  const groups = new Set(allGroups(layers.map(({ name }) => name)));
  const nodes = new Map<string, MapNode>();
  layers.forEach(({ name, call_site }, index) => {
    if (call_site > 0) return;
    const group = foldedGroup(name, groups, folded);
    const key = group ?? name;
    const node = nodes.get(key) ?? { name: key, isGroup: group !== null, members: [] };
    node.members.push(index);
    nodes.set(key, node);
  });
  return [...nodes.values()];
}

const CALL = /@\d+$/;

/** For each node the earlier nodes that feed it, ascending. Inputs from later nodes, as in a loop, are not drawn. */
function connections(layers: readonly Layer[], nodes: readonly MapNode[]): number[][] {
  const rowOf = new Map<string, number>();
  nodes.forEach(({ members }, row) => {
    for (const index of members) rowOf.set(layers[index]?.name ?? "", row);
  });
  return nodes.map(({ members }, row) => {
    const sources = members.flatMap((index) => layers[index]?.inputs ?? []);
    const rows = sources.map((name) => rowOf.get(name) ?? rowOf.get(name.replace(CALL, "")) ?? -1);
    return [...new Set(rows)].filter((source) => source >= 0 && source < row).sort((a, b) => a - b);
  });
}

function withLanes(nodes: readonly MapNode[], inputs: readonly (readonly number[])[]) {
  const lastUse = nodes.map((_, row) => inputs.findLastIndex((sources) => sources.includes(row)));
  // Which node's output a lane holds.
  const lanes: (number | null)[] = [];
  const laneOf: number[] = [];
  let laneCount = 1;
  const rows = nodes.map((node, row): MapRow => {
    const sources = inputs[row] ?? [];
    const ending = sources.filter((source) => lastUse[source] === row).map((source) => laneOf[source] ?? 0);
    const joined = sources.map((source) => laneOf[source] ?? 0);
    const passing = lanes.flatMap((holder, lane) => (holder !== null && !ending.includes(lane) ? [lane] : []));
    for (const lane of ending) lanes[lane] = null;
    const lane = ending.length > 0 ? Math.min(...ending) : freeLane(lanes);
    laneOf[row] = lane;
    const hasOutput = (lastUse[row] ?? -1) > row;
    lanes[lane] = hasOutput ? row : null;
    laneCount = Math.max(laneCount, lane + 1);
    return { ...node, lane, inputs: joined, passing, hasOutput };
  });
  return { rows, laneCount };
}

function freeLane(lanes: readonly (number | null)[]): number {
  const free = lanes.findIndex((holder) => holder === null || holder === undefined);
  return free < 0 ? lanes.length : free;
}
