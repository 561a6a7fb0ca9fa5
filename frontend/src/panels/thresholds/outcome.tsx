import { isChanged, rulesFile } from "../../core/draft";
import { kindOf } from "../../core/failures";
import { formatCount, plural, sentence } from "../../core/format";
import { ruleTitle } from "../../core/ranking";
import type { Change, Judgement, Rule, Severity } from "../../core/types";
import type { Store } from "../../state/store";
import { Badge, Shape } from "../parts/badge";

export type OutcomeStore = Pick<
  Store,
  "run" | "findings" | "draft" | "judgement" | "isJudgingSlow" | "judgeAgain" | "resetThresholds" | "chooseLayer"
>;

interface OutcomeProps {
  readonly store: OutcomeStore;
  readonly rules: readonly Rule[];
}

/** What the tried thresholds find, and how that differs from the thresholds of the run. */
export function TrialOutcome({ store, rules }: OutcomeProps) {
  const { value, error, isLoading } = store.judgement.value;
  const isSlow = store.isJudgingSlow.value;
  const draft = store.draft.value;
  const isEmpty = Object.keys(rulesFile(rules, draft)).length === 0;
  const isIdle = !isChanged(draft) || isEmpty;
  return (
    <section
      class={isSlow ? "trial is-waiting" : "trial"}
      aria-label="What these thresholds find"
      aria-busy={isLoading}
    >
      <p class="trial-status" aria-live="polite">
        {statusWords(isEmpty, isIdle, isSlow || (value === null && error === null), value)}
      </p>
      {!isIdle && isSlow && (
        <progress aria-label={`Judging ${plural(store.run.value?.records ?? 0, "record")} again`} />
      )}
      {!isIdle && error !== null && (
        <div class="message-error" role="alert">
          <p>{sentence(error.message)}</p>
          {kindOf(error) === "superseded" && (
            <button type="button" onClick={store.judgeAgain}>
              Judge again
            </button>
          )}
        </div>
      )}
      {!isIdle && value !== null && <Result store={store} judgement={value} rules={rules} />}
    </section>
  );
}

function statusWords(isEmpty: boolean, isIdle: boolean, isWaiting: boolean, judgement: Judgement | null): string {
  if (isEmpty) return "No rule is checked.";
  if (isIdle) return "Move a slider to see what other thresholds find. The stored run does not change.";
  if (isWaiting) return "Judging again\u2026";
  if (judgement === null) return "Could not judge again.";
  const { records } = judgement;
  return records === 0 ? "Judged again." : `Judged again over ${plural(records, "stored record")}.`;
}

const SHOWN = 8;

interface ResultProps {
  readonly store: OutcomeStore;
  readonly judgement: Judgement;
  readonly rules: readonly Rule[];
}

function Result({ store, judgement: { verdict, changes, left_out }, rules }: ResultProps) {
  const rest = changes.slice(SHOWN);
  const item = (change: Change) => <ChangeItem key={`${change.rule} ${change.layer}`} {...{ store, change, rules }} />;
  return (
    <>
      <p class="trial-verdict">
        <Badge state={verdict.severity ?? "ok"} /> {verdict.sentence}
      </p>
      <h3>{changes.length === 0 ? "No finding changes" : countWords(changes)}</h3>
      <ul class="changes">{changes.slice(0, SHOWN).map(item)}</ul>
      {rest.length > 0 && (
        <details>
          <summary>{formatCount(rest.length + (left_out.changes ?? 0))} more</summary>
          <ul class="changes">{rest.map(item)}</ul>
        </details>
      )}
    </>
  );
}

function countWords(changes: readonly Change[]): string {
  const appear = changes.filter(({ before }) => before === null).length;
  const disappear = changes.filter(({ after }) => after === null).length;
  const differ = changes.length - appear - disappear;
  const part = (count: number, one: string, many: string) =>
    count === 0 ? [] : [`${plural(count, "finding")} ${count === 1 ? one : many}`];
  return [
    ...part(appear, "appears", "appear"),
    ...part(disappear, "disappears", "disappear"),
    ...part(differ, "changes severity", "change severity"),
  ].join(", ");
}

interface ChangeProps {
  readonly store: OutcomeStore;
  readonly change: Change;
  readonly rules: readonly Rule[];
}

function ChangeItem({ store, change: { rule, layer, headline, before, after }, rules }: ChangeProps) {
  const isGone = after === null;
  return (
    <li class={isGone ? "change is-gone" : "change"}>
      <span class="change-states">
        <State severity={before} /> <span aria-hidden="true">→</span>
        <span class="only-read">becomes</span> <State severity={after} />
      </span>
      <span class="change-words">
        {layer === "" ? (
          "Training"
        ) : (
          <button type="button" class="link" onClick={() => store.chooseLayer(layer)}>
            {layer}
          </button>
        )}{" "}
        {ruleTitle(rule, rules)}: {headline}
      </span>
    </li>
  );
}

function State({ severity }: { readonly severity: Severity | null }) {
  return severity === null ? <span class="change-none">none</span> : <Shape state={severity} />;
}
