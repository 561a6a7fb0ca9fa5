import { computed } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { Lanes } from "../../charts/lanes";
import { formatCount, plural } from "../../core/format";
import type { Frame, MatrixHeader } from "../../core/frame";
import { type MapRow, modelMap } from "../../core/graph";
import { groupsOf } from "../../core/groups";
import { layersTable } from "../../core/layers_table";
import { nearestStep } from "../../core/scale";
import { healthOfCode, worseCode } from "../../core/severity";
import type { RunDescription } from "../../core/types";
import type { Store } from "../../state/store";
import { Shape } from "../parts/badge";
import { ExportMenu } from "../parts/export_menu";
import { FoldModels } from "../parts/fold_models";
import { useGrowing } from "../parts/growing";
import { Await, Panel } from "../parts/panel";
import { pure } from "../parts/pure";
import { moveInList } from "../parts/roving";

type MapStore = Pick<
  Store,
  "chooseLayer" | "cursor" | "description" | "fold" | "folded" | "health" | "layer" | "ranked" | "run"
>;

const ROW_HEIGHT = 24;
/** Rows that fit into one column. */
const ONE_COLUMN = 24;

/** The layers and their connections, with their health at the shared step. */
export function ModelMap({ store }: { readonly store: MapStore }) {
  const description = store.description.value.value;
  const tools = description !== null && (
    <>
      <FoldModels store={store} names={description.layers} />
      <ExportMenu
        subject="model"
        file={[store.run.value?.name ?? "", "model"]}
        table={() => layersTable(store.ranked.value)}
      />
    </>
  );
  return (
    <Panel id="map" title="Model" tools={tools}>
      <Await loaded={store.health.value} height={200}>
        {(health) => description !== null && <MapView store={store} description={description} health={health} />}
      </Await>
    </Panel>
  );
}

interface MapViewProps {
  readonly store: MapStore;
  readonly description: RunDescription;
  readonly health: Frame<MatrixHeader>;
}

function MapView({ store, description, health }: MapViewProps) {
  const folded = store.folded.value;
  const map = useMemo(() => modelMap(description.layers, folded), [description, folded]);
  const list = useRef<HTMLOListElement>(null);
  const count = useGrowing(map.rows.length);
  const selected = store.layer.value?.name ?? "";
  const isChosen = ({ name, isGroup }: MapRow) => name === selected || (isGroup && groupsOf(selected).includes(name));
  const tabStop = map.rows.find(isChosen)?.name ?? map.rows[0]?.name;
  return (
    <>
      <p class="about">
        {map.isConnected
          ? "Lines connect each layer to the layers that use its output."
          : "Connections were not recorded; layers are in call order."}{" "}
        <MapStep store={store} health={health} />
      </p>
      <ol
        ref={list}
        class={map.rows.length > ONE_COLUMN ? "map map-columns" : "map"}
        onKeyDown={(event) => moveInList(event, list.current)}
      >
        {map.rows.slice(0, count).map((row) => (
          <MapItem
            key={row.name}
            store={store}
            row={row}
            laneCount={map.laneCount}
            health={health}
            isSelected={isChosen(row)}
            isTabStop={row.name === tabStop}
          />
        ))}
      </ol>
    </>
  );
}

interface RowButtonProps {
  readonly store: MapStore;
  readonly row: MapRow;
  readonly health: Frame<MatrixHeader>;
  readonly isSelected: boolean;
  readonly isTabStop: boolean;
}

interface ItemProps extends RowButtonProps {
  readonly laneCount: number;
}

const MapItem = pure(({ laneCount, ...props }: ItemProps) => (
  <li style={{ height: `${ROW_HEIGHT}px` }}>
    <Lanes row={props.row} laneCount={laneCount} height={ROW_HEIGHT} />
    <RowButton {...props} />
  </li>
));

/** Re-renders only when its own health changes with the step. */
function RowButton({ store, row, health, isSelected, isTabStop }: RowButtonProps) {
  const state = useMemo(
    () =>
      computed(() => {
        const { steps } = health.header;
        const index = nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
        const codes = row.members.map((member) => health.data[member * steps.length + index] ?? Number.NaN);
        return healthOfCode(codes.reduce(worseCode, Number.NaN)) ?? "unobserved";
      }),
    [store, row, health],
  );
  const name = row.name.split("/").pop();
  return (
    <button
      type="button"
      class={`map-row map-${state.value}`}
      title={row.name}
      aria-current={isSelected ? "true" : undefined}
      tabIndex={isTabStop ? 0 : -1}
      onClick={() => (row.isGroup ? store.fold([row.name], false) : store.chooseLayer(row.name))}
    >
      <Shape state={state.value} /> {name}
      {row.isGroup && <span class="map-count"> {plural(row.members.length, "layer")}, collapsed</span>}
    </button>
  );
}

function MapStep({ store, health }: { readonly store: MapStore; readonly health: Frame<MatrixHeader> }) {
  const { steps } = health.header;
  const step = steps[nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY)];
  return <>{step === undefined ? "No steps recorded yet." : `Health at step ${formatCount(step)}.`}</>;
}
