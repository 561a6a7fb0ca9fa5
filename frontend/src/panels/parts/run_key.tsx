import type { RunStyle } from "../../state/store";

/** Line style and name of a run. */
export function RunKey({ style }: { readonly style: RunStyle }) {
  return (
    <span class="run-key">
      <svg width="26" height="10" aria-hidden="true">
        <path d="M1 5H25" stroke={style.color} stroke-dasharray={style.dash.join(" ")} />
      </svg>
      <span>{style.name}</span>
    </span>
  );
}
