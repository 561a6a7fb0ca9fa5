import type { Curve } from "../../core/curve";
import type { Store } from "../../state/store";

export type CurveStore = Pick<Store, "chooseCurve" | "curve">;

const SCALES: readonly { readonly scale: Curve["scale"]; readonly word: string }[] = [
  { scale: undefined, word: "automatic" },
  { scale: "linear", word: "linear" },
  { scale: "log", word: "logarithmic" },
];

/** How all line charts draw their values. */
export function CurveMenu({ store }: { readonly store: CurveStore }) {
  const curve = store.curve.value;
  const change = (changed: Partial<Curve>) => store.chooseCurve({ ...curve, ...changed });
  return (
    <details class="menu menu-end">
      <summary>Curves</summary>
      <fieldset>
        <legend class="only-read">How to draw curves</legend>
        <label>
          Smoothing
          <input
            type="range"
            min={0}
            max={0.95}
            step={0.05}
            value={curve.smoothing}
            onInput={(event) => change({ smoothing: Number(event.currentTarget.value) })}
          />
          <span>{curve.smoothing === 0 ? "off" : curve.smoothing}</span>
        </label>
        <label>
          Vertical axis
          <select
            value={curve.scale ?? ""}
            onChange={(event) =>
              change({ scale: SCALES.find(({ scale }) => scale === event.currentTarget.value)?.scale })
            }
          >
            {SCALES.map(({ scale, word }) => (
              <option key={word} value={scale ?? ""} selected={scale === curve.scale}>
                {word}
              </option>
            ))}
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            checked={curve.hidesOutliers}
            onChange={() => change({ hidesOutliers: !curve.hidesOutliers })}
          />
          <span>Ignore outliers</span>
        </label>
      </fieldset>
    </details>
  );
}
