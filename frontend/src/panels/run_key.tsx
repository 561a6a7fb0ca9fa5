import type { RunStyle } from "../state/store";

/** The line of a run, with its name behind it. */
export function RunKey({ style, isNamed = true }: { readonly style: RunStyle; readonly isNamed?: boolean }) {
  return (
    <span class="run-key">
      <svg width="26" height="10" aria-hidden="true">
        <path d="M1 5H25" stroke={style.colour} stroke-dasharray={style.dash.join(" ")} />
      </svg>
      {isNamed && style.name}
    </span>
  );
}
