import { GLYPHS } from "../../charts/look";
import { type HealthState, stateWord } from "../../core/severity";

/** The shape of a state in its color; screen readers read the word instead. */
export function Shape({ state, isNamed = true }: { readonly state: HealthState; readonly isNamed?: boolean }) {
  return (
    <span class={`shape shape-${state}`}>
      <span aria-hidden="true">{GLYPHS[state]}</span>
      {isNamed && <span class="only-read">{stateWord(state)}</span>}
    </span>
  );
}

interface BadgeProps {
  readonly state: HealthState;
  /** Replaces the word of the state. */
  readonly word?: string | undefined;
}

export function Badge({ state, word }: BadgeProps) {
  return (
    <span class={`badge badge-${state}`}>
      <span aria-hidden="true">{GLYPHS[state]}</span> {word ?? stateWord(state)}
    </span>
  );
}
