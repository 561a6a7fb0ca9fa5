import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { flagsOf } from "../../core/filter";
import { plural } from "../../core/format";
import { allGroups, outline, type TreeNode } from "../../core/groups";
import { layersTable } from "../../core/layers_table";
import { frameRow } from "../../core/points";
import type { RankedLayer, SortOrder } from "../../core/ranking";
import { naturalExtent, valueScale } from "../../core/scale";
import { sparkPath } from "../../core/spark";
import type { RunDescription } from "../../core/types";
import type { Store } from "../../state/store";
import { ExportMenu } from "../parts/export_menu";
import { useGrowing } from "../parts/growing";
import { Await, Panel } from "../parts/panel";
import { moveInList } from "../parts/roving";
import { GroupRow, LayerRow } from "./layer_row";

type LayersStore = Pick<
  Store,
  | "chooseLayer"
  | "chooseSort"
  | "depth"
  | "description"
  | "filter"
  | "filterLayers"
  | "filterRequests"
  | "findings"
  | "flag"
  | "flagLayers"
  | "fold"
  | "folded"
  | "layer"
  | "ranked"
  | "run"
  | "shownLayers"
  | "sort"
>;

const ORDERS: readonly { readonly order: SortOrder; readonly word: string }[] = [
  { order: "severity", word: "Severity" },
  { order: "onset", word: "Onset" },
  { order: "model", word: "Model order" },
];

/** The layers of the run, worst first, or in model order with nested models as groups. */
export function Layers({ store }: { readonly store: LayersStore }) {
  const tools = (
    <fieldset class="choice">
      <legend class="only-read">Order of layers</legend>
      {ORDERS.map(({ order, word }) => (
        <button
          key={order}
          type="button"
          aria-pressed={store.sort.value === order}
          onClick={() => store.chooseSort(order)}
        >
          {word}
        </button>
      ))}
    </fieldset>
  );
  const exporting = (
    <ExportMenu
      subject="layers"
      file={[store.run.value?.name ?? "", "layers"]}
      table={() => layersTable(store.shownLayers.value)}
    />
  );
  return (
    <Panel id="layers" title="Layers" tools={[tools, exporting]}>
      <Await loaded={store.description.value} height={360}>
        {(description) => <LayerList store={store} description={description} />}
      </Await>
    </Panel>
  );
}

interface ListProps {
  readonly store: LayersStore;
  readonly description: RunDescription;
}

function LayerList({ store, description }: ListProps) {
  const list = useRef<HTMLOListElement>(null);
  const shown = store.shownLayers.value;
  const isModelOrder = store.sort.value === "model";
  const folded = store.folded.value;
  const rows = useMemo<readonly TreeNode<RankedLayer>[]>(
    () =>
      isModelOrder
        ? outline(shown, ({ layer }) => layer.name, folded)
        : shown.map((item) => ({ kind: "item", item, depth: 0 })),
    [shown, isModelOrder, folded],
  );
  const sparks = useSparks(store);
  const selected = store.layer.value?.name;
  const count = useGrowing(rows.length);
  const isSeen = rows.some((row) => row.kind === "item" && row.item.layer.name === selected);

  // Scrolls only the list: the page must not move when a layer is chosen in another panel.
  useEffect(() => {
    const box = list.current;
    const chosen = box?.querySelector<HTMLElement>("[aria-current]");
    if (box == null || chosen == null) return;
    const top = chosen.offsetTop;
    const isAbove = top < box.scrollTop;
    const isBelow = top + chosen.offsetHeight > box.scrollTop + box.clientHeight;
    if (isAbove || isBelow) box.scrollTop = top - (isAbove ? 0 : box.clientHeight - chosen.offsetHeight);
  }, [selected, store.sort.value, count]);

  const onKeyDown = (event: KeyboardEvent) => {
    const target = moveInList(event, list.current);
    const reached = target === null ? undefined : rows[target];
    if (reached?.kind === "item") store.chooseLayer(reached.item.layer.name, true);
  };

  return (
    <>
      <FilterField store={store} description={description} />
      <Flags store={store} description={description} />
      {isModelOrder && <FoldAll store={store} names={description.layers.map(({ name }) => name)} />}
      {shown.length === 0 && <NothingMatches store={store} count={description.layers.length} />}
      <ol ref={list} class="layer-list" onKeyDown={onKeyDown}>
        {rows.slice(0, count).map((row, index) => (
          <li key={row.kind === "group" ? `group ${row.path}` : row.item.layer.name}>
            {row.kind === "group" ? (
              <GroupRow
                group={row}
                isTabStop={!isSeen && index === 0}
                onFold={(isFolded) => store.fold([row.path], isFolded)}
              />
            ) : (
              <LayerRow
                store={store}
                entry={row.item}
                depth={row.depth}
                spark={sparks?.pathOf(row.item.index)}
                isSelected={row.item.layer.name === selected}
                isTabStop={isSeen ? row.item.layer.name === selected : index === 0}
              />
            )}
          </li>
        ))}
      </ol>
      {sparks !== null && shown.length > 0 && <p class="list-foot">Lines: {sparks.title} over time</p>}
    </>
  );
}

/** Sparklines of the statistic in the depth profile, all on one scale. */
function useSparks(store: LayersStore) {
  const frame = store.depth.value.value;
  const description = store.description.value.value;
  return useMemo(() => {
    const statistic = description?.statistics.find(({ id }) => id === frame?.header.stat);
    if (frame === null || statistic === undefined) return null;
    const scale = valueScale(statistic.scale, frame.data, naturalExtent(statistic.id));
    const paths = frame.header.layers.map((_, row) =>
      sparkPath(frameRow(frame.data, row, frame.header.steps.length), scale),
    );
    return { title: statistic.title.toLowerCase(), pathOf: (row: number) => paths[row] };
  }, [frame, description]);
}

const MANY_LAYERS = 12;

function FilterField({ store, description }: ListProps) {
  const field = useRef<HTMLInputElement>(null);
  const requests = store.filterRequests.value;
  const answered = useSignal(requests);
  useEffect(() => {
    if (requests !== answered.peek()) field.current?.focus();
    answered.value = requests;
  }, [requests]);
  if (description.layers.length <= MANY_LAYERS && requests === 0 && store.filter.value === "") return null;
  return (
    <label class="field filter">
      <span class="only-read">Filter layers</span>
      <input
        ref={field}
        type="search"
        placeholder="Filter layers"
        value={store.filter.value}
        onInput={(event) => store.filterLayers(event.currentTarget.value)}
      />
    </label>
  );
}

/** One button per rule with open findings; it filters the list and the timeline. */
function Flags({ store, description }: ListProps) {
  const flags = flagsOf(store.ranked.value, store.findings.value.value?.findings ?? [], description.rules);
  if (flags.length === 0) return null;
  return (
    <fieldset class="flags">
      <legend class="only-read">Show only layers with</legend>
      {flags.map(({ rule, title, count }) => {
        const isOn = store.flag.value === rule;
        return (
          <button
            key={rule}
            type="button"
            aria-pressed={isOn}
            onClick={() => store.flagLayers(isOn ? undefined : rule)}
          >
            {title} {count}
          </button>
        );
      })}
    </fieldset>
  );
}

function FoldAll({ store, names }: { readonly store: LayersStore; readonly names: readonly string[] }) {
  const groups = allGroups(names);
  if (groups.length === 0) return null;
  const isAnyOpen = groups.some((path) => !store.folded.value.has(path));
  return (
    <p class="list-head">
      <button type="button" class="quiet" onClick={() => store.fold(groups, isAnyOpen)}>
        {isAnyOpen ? "Collapse all nested models" : "Expand all nested models"}
      </button>
    </p>
  );
}

function NothingMatches({ store, count }: { readonly store: LayersStore; readonly count: number }) {
  const { value: text } = store.filter;
  const clear = () => {
    store.filterLayers("");
    store.flagLayers(undefined);
  };
  return (
    <p class="message">
      {text === "" ? "No layer has this finding" : `No match for “${text}”`} among {plural(count, "layer")}.{" "}
      <button type="button" class="quiet" onClick={clear}>
        Clear filter
      </button>
    </p>
  );
}
