import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { matchLayers, type RankedLayer, rankLayers, type SortOrder } from "../core/ranking";
import type { RunDescription } from "../core/types";
import type { Store } from "../state/store";
import { Shape } from "./badge";
import { Await, Panel } from "./panel";

const ORDERS: readonly { readonly order: SortOrder; readonly word: string }[] = [
  { order: "severity", word: "Severity" },
  { order: "model", word: "Model order" },
];

/** The layers of the run, the sickest first. */
export function Layers({ store }: { readonly store: Store }) {
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
  return (
    <Panel id="layers" title="Layers" tools={tools}>
      <Await loaded={store.description.value} height={360}>
        {(description) => <LayerList store={store} description={description} />}
      </Await>
    </Panel>
  );
}

const MANY_LAYERS = 12;

function LayerList({ store, description }: { readonly store: Store; readonly description: RunDescription }) {
  const filter = useSignal("");
  const list = useRef<HTMLOListElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const requests = store.filterRequests.value;
  const answered = useRef(requests);
  const hasFilter = description.layers.length > MANY_LAYERS || requests > 0;
  const ranked = useComputed(() => {
    const { layers, rules } = store.description.value.value ?? description;
    return rankLayers(layers, store.findings.value.value?.findings ?? [], rules, store.sort.value);
  });
  const shown = matchLayers(ranked.value, filter.value);
  const selected = store.layer.value?.name;
  const tabStop = shown.some(({ layer }) => layer.name === selected) ? selected : shown[0]?.layer.name;

  // Only the list scrolls: the page stays where it is when a layer is chosen in another panel.
  useEffect(() => {
    const box = list.current;
    const chosen = box?.querySelector<HTMLElement>("[aria-current]");
    if (box == null || chosen == null) return;
    const top = chosen.offsetTop - box.offsetTop;
    const isAbove = top < box.scrollTop;
    const isBelow = top + chosen.offsetHeight > box.scrollTop + box.clientHeight;
    if (isAbove || isBelow) box.scrollTop = top - (isAbove ? 0 : box.clientHeight - chosen.offsetHeight);
  }, [selected, store.sort.value]);

  useEffect(() => {
    if (requests !== answered.current) field.current?.focus();
    answered.current = requests;
  }, [requests]);

  const onKeyDown = (event: KeyboardEvent) => {
    const target = targetOfKey(
      event.key,
      shown.findIndex(({ layer }) => layer.name === selected),
      shown.length,
    );
    const name = target === null ? undefined : shown[target]?.layer.name;
    if (name === undefined || target === null) return;
    event.preventDefault();
    store.chooseLayer(name);
    list.current?.querySelectorAll<HTMLButtonElement>("button.layer")[target]?.focus();
  };

  return (
    <>
      {hasFilter && (
        <label class="field filter">
          <span class="only-read">Filter layers</span>
          <input
            ref={field}
            type="search"
            placeholder="Filter layers"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value;
            }}
          />
        </label>
      )}
      {shown.length === 0 && (
        <p class="message">
          No layer matches “{filter.value}” out of {description.layers.length}.{" "}
          <button
            type="button"
            class="quiet"
            onClick={() => {
              filter.value = "";
            }}
          >
            Clear filter
          </button>
        </p>
      )}
      <ol ref={list} class="layer-list" onKeyDown={onKeyDown}>
        {shown.map((entry) => (
          <li key={entry.layer.name}>
            <LayerButton
              entry={entry}
              isSelected={entry.layer.name === selected}
              isTabStop={entry.layer.name === tabStop}
              onChoose={() => store.chooseLayer(entry.layer.name)}
            />
          </li>
        ))}
      </ol>
    </>
  );
}

function targetOfKey(key: string, current: number, count: number): number | null {
  switch (key) {
    case "ArrowDown":
      return Math.min(count - 1, current + 1);
    case "ArrowUp":
      return Math.max(0, current - 1);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

interface LayerButtonProps {
  readonly entry: RankedLayer;
  readonly isSelected: boolean;
  readonly isTabStop: boolean;
  onChoose(): void;
}

function LayerButton({ entry, isSelected, isTabStop, onChoose }: LayerButtonProps) {
  return (
    <button
      type="button"
      class="layer"
      aria-current={isSelected ? "true" : undefined}
      tabIndex={isTabStop ? 0 : -1}
      onClick={onChoose}
    >
      <Shape state={entry.state} />
      <span class="layer-name" title={entry.layer.name}>
        {entry.layer.name}
      </span>
      <span class="layer-class">{entry.layer.class_name}</span>
      <span class="layer-words">
        {entry.words}
        {entry.more > 0 && ` (+${entry.more} more)`}
      </span>
    </button>
  );
}
