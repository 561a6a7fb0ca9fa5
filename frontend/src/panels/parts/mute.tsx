import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { LONGEST_NOTE } from "../../core/browser_mutes";
import { plural, sentence } from "../../core/format";
import { isCounting, ruleTitle } from "../../core/ranking";
import type { Finding, Mutes, Rule } from "../../core/types";
import type { Store } from "../../state/store";
import { Badge } from "./badge";

export type FindingActionsStore = Pick<
  Store,
  "arriveAtFinding" | "findings" | "movedFinding" | "muteFindings" | "openDrawer"
>;

interface ActionsProps {
  readonly store: FindingActionsStore;
  readonly finding: Finding;
  readonly all: readonly Finding[];
}

/** What a user who disagrees with an open finding can do. */
export function FindingActions({ store, finding, all }: ActionsProps) {
  const isMuting = useSignal(false);
  if (!isCounting(finding)) return null;
  if (isMuting.value) {
    const close = () => {
      isMuting.value = false;
    };
    return <MuteForm store={store} finding={finding} all={all} onClose={close} />;
  }
  return (
    <p class="finding-actions">
      <button
        type="button"
        onClick={() => {
          isMuting.value = true;
        }}
      >
        Mute…
      </button>
      <button type="button" onClick={() => store.openDrawer(finding.rule)}>
        Try other thresholds
      </button>
    </p>
  );
}

function MuteForm({ store, finding, all, onClose }: ActionsProps & { onClose(): void }) {
  const id = useId();
  const note = useSignal("");
  const isWithConsequences = useSignal(false);
  const failure = useSignal("");
  const storage = store.findings.value.value?.mutes;
  const consequences = all.filter((other) => other.root === finding.id && isCounting(other));
  const submit = async (event: Event) => {
    event.preventDefault();
    const muted = isWithConsequences.value ? [finding, ...consequences] : [finding];
    failure.value = await store.muteFindings(muted, note.value.trim());
    if (failure.value === "") onClose();
  };
  return (
    <form
      class="mute-form"
      onSubmit={(event) => void submit(event)}
      onKeyDown={(event) => event.key === "Escape" && onClose()}
    >
      <label for={`${id}-note`}>Why is this finding not a problem? (optional)</label>
      <textarea
        id={`${id}-note`}
        rows={2}
        maxLength={LONGEST_NOTE}
        value={note.value}
        ref={focusOnce}
        onInput={(event) => {
          note.value = event.currentTarget.value;
        }}
      />
      {consequences.length > 0 && (
        <label class="mute-choice">
          <input
            type="checkbox"
            checked={isWithConsequences.value}
            onChange={(event) => {
              isWithConsequences.value = event.currentTarget.checked;
            }}
          />
          Also mute {plural(consequences.length, "finding")} that {consequences.length === 1 ? "follows" : "follow"}{" "}
          from it
        </label>
      )}
      <p class="mute-where">{storage === undefined ? "" : storageWords(storage)}</p>
      {failure.value !== "" && (
        <p class="message-error" role="alert">
          {sentence(failure.value)}
        </p>
      )}
      <p class="finding-actions">
        <button type="submit">Mute</button>
        <button type="button" onClick={onClose}>
          Cancel
        </button>
      </p>
    </form>
  );
}

function focusOnce(element: HTMLTextAreaElement | null): void {
  element?.focus();
}

const ENDS = "The mute ends if the finding becomes worse.";

function storageWords({ stored, why, problem }: Mutes): string {
  if (stored === "browser") return `Kept in this browser, because ${why}. Reports and check still count it. ${ENDS}`;
  const damage = problem === "" ? "" : `${sentence(problem)} `;
  return `${damage}Stored next to the run; reports and check honor it. ${ENDS}`;
}

interface MutedProps {
  readonly store: FindingActionsStore;
  readonly finding: Finding;
  readonly rules: readonly Rule[];
  readonly children: ComponentChildren;
}

/** A finding that does not count, folded under its note. */
export function MutedFinding({ store, finding, rules, children }: MutedProps) {
  const failure = useSignal("");
  const summary = useRef<HTMLElement>(null);
  useEffect(() => {
    if (store.movedFinding.peek() !== finding.id) return;
    summary.current?.focus();
    store.arriveAtFinding();
  }, []);
  const { mute } = finding;
  const storage = store.findings.value.value?.mutes;
  if (mute === null) return null;
  const isFixed = mute.stored === "run" && storage?.stored === "browser";
  const unmute = async () => {
    failure.value = await store.muteFindings([finding], null);
  };
  return (
    <details class="muted-finding">
      <summary ref={summary}>
        <span class="muted-word">Muted</span> <Badge state={finding.severity} />{" "}
        <span>{ruleTitle(finding.rule, rules)}</span>
        {mute.note !== "" && <q>{mute.note}</q>}
      </summary>
      <p class="finding-actions">
        {isFixed ? (
          `Muted next to the run; cannot be unmuted here, because ${storage.why}.`
        ) : (
          <button type="button" onClick={() => void unmute()}>
            Unmute
          </button>
        )}
        {mute.time > 0 && <small>since {new Date(mute.time * 1000).toLocaleString("en-US")}</small>}
      </p>
      {failure.value !== "" && (
        <p class="message-error" role="alert">
          {sentence(failure.value)}
        </p>
      )}
      {children}
    </details>
  );
}
