import { plural } from "../../core/format";
import type { TreeNode } from "../../core/groups";
import type { RankedLayer } from "../../core/ranking";
import { isSeverity, urgency } from "../../core/severity";
import { SPARK_HEIGHT, SPARK_WIDTH } from "../../core/spark";
import type { Store } from "../../state/store";
import { Shape } from "../parts/badge";
import { pure } from "../parts/pure";

interface LayerRowProps {
  readonly store: Pick<Store, "chooseLayer">;
  readonly entry: RankedLayer;
  /** Number of nested models that contain it. */
  readonly depth: number;
  /** Path of its sparkline, undefined for none. */
  readonly spark: string | undefined;
  readonly isSelected: boolean;
  readonly isTabStop: boolean;
}

export const LayerRow = pure(({ store, entry, depth, spark, isSelected, isTabStop }: LayerRowProps) => {
  return (
    <button
      type="button"
      class="layer"
      style={indent(depth)}
      aria-current={isSelected ? "true" : undefined}
      tabIndex={isTabStop ? 0 : -1}
      onClick={() => store.chooseLayer(entry.layer.name)}
    >
      <Shape state={entry.state} />
      <span class="layer-name" title={entry.layer.name}>
        {entry.layer.name.split("/").slice(depth).join("/")}
      </span>
      <span class="layer-class">{entry.layer.class_name}</span>
      <span class="layer-words">
        {entry.words}
        {entry.more > 0 && ` (+${entry.more} more)`}
      </span>
      {spark !== undefined && (
        <svg class="spark" width={SPARK_WIDTH} height={SPARK_HEIGHT} aria-hidden="true">
          <path d={spark} />
        </svg>
      )}
    </button>
  );
});

interface GroupRowProps {
  readonly group: TreeNode<RankedLayer> & { readonly kind: "group" };
  readonly isTabStop: boolean;
  onFold(isFolded: boolean): void;
}

/** A nested model, with the state of its worst layer. */
export function GroupRow({ group, isTabStop, onFold }: GroupRowProps) {
  const { path, members, isFolded } = group;
  const states = members.map(({ state }) => state);
  const worst = states.reduce((a, b) => (urgency(b) < urgency(a) ? b : a));
  const found = states.filter(isSeverity).length;
  const parts = path.split("/");
  return (
    <button
      type="button"
      class="layer layer-group"
      style={indent(parts.length - 1)}
      aria-expanded={!isFolded}
      tabIndex={isTabStop ? 0 : -1}
      onClick={() => onFold(!isFolded)}
      onKeyDown={({ key }) => {
        if (key === "ArrowLeft") onFold(true);
        if (key === "ArrowRight") onFold(false);
      }}
    >
      <Shape state={worst} />
      <span class="layer-name" title={path}>
        <span aria-hidden="true">{isFolded ? "\u25b8" : "\u25be"}</span> {parts[parts.length - 1]}
      </span>
      <span class="layer-class">
        {plural(members.length, "layer")}
        {found > 0 && `, ${found} with findings`}
      </span>
    </button>
  );
}

const indent = (depth: number) => ({ paddingInlineStart: `${12 + depth * 14}px` });
