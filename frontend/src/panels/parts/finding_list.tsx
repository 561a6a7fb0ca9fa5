import { useEffect, useRef } from "preact/hooks";
import { formatCount, formatMeasured, plural, thresholdWords } from "../../core/format";
import { isCounting, ruleTitle } from "../../core/ranking";
import type { Finding, Rule } from "../../core/types";
import type { Store } from "../../state/store";
import { Badge } from "./badge";
import { FindingActions, type FindingActionsStore, MutedFinding } from "./mute";

export type FindingListStore = FindingActionsStore &
  Pick<Store, "wantedFinding" | "arriveAtFinding" | "pinStep" | "chooseLayer">;

interface FindingListProps {
  readonly store: FindingListStore;
  readonly all: readonly Finding[];
  readonly findings: readonly Finding[];
  readonly rules: readonly Rule[];
  /** Shown without findings. */
  readonly silence: string;
}

export function FindingList({ store, all, findings, rules, silence }: FindingListProps) {
  const open = findings.filter(isCounting);
  const muted = findings.filter(({ mute }) => mute !== null);
  const closed = findings.filter((finding) => finding.closed_step !== null);
  const article = (finding: Finding) => (
    <FindingArticle key={finding.id} store={store} finding={finding} all={all} rules={rules} />
  );
  return (
    <>
      {open.length === 0 && <p class="silence">{silence}</p>}
      {open.map(article)}
      {muted.map((finding) => (
        <MutedFinding key={finding.id} store={store} finding={finding} rules={rules}>
          {article(finding)}
        </MutedFinding>
      ))}
      {closed.length > 0 && (
        <details class="closed">
          <summary>{plural(closed.length, "resolved finding")}</summary>
          {closed.map(article)}
        </details>
      )}
    </>
  );
}

interface FindingProps {
  readonly store: FindingListStore;
  readonly finding: Finding;
  readonly all: readonly Finding[];
  readonly rules: readonly Rule[];
}

const SHOWN_UNITS = 12;

function FindingArticle({ store, finding, all, rules }: FindingProps) {
  const why = rules.find(({ id }) => id === finding.rule)?.why ?? "";
  const article = useRef<HTMLElement>(null);
  const isWanted = store.wantedFinding.value === finding.id;
  useEffect(() => {
    if (!isWanted) return;
    article.current?.focus();
    store.arriveAtFinding();
  }, [isWanted]);
  useEffect(() => {
    if (finding.mute !== null || store.movedFinding.peek() !== finding.id) return;
    article.current?.focus();
    store.arriveAtFinding();
  }, []);
  return (
    <article ref={article} class="finding" tabIndex={-1}>
      <h3>
        <Badge state={finding.severity} /> {ruleTitle(finding.rule, rules)}
      </h3>
      <p>{finding.message}</p>
      <dl>
        <dt>Evidence</dt>
        <dd>
          {finding.quantity} = <strong>{formatMeasured(finding.value, finding.unit)}</strong> ({thresholdWords(finding)}
          ); {plural(finding.checks, "observed step")}
          {finding.samples > 0 && `; ${plural(finding.samples, "sample")}`}
        </dd>
        <dt>Since</dt>
        <dd>
          <StepButton store={store} step={finding.since_step} />
          {sinceWords(finding)}
        </dd>
        {finding.unit_count > 0 && (
          <>
            <dt>Units</dt>
            <dd>{unitWords(finding)}</dd>
          </>
        )}
        {finding.root !== null && (
          <>
            <dt>Follows from</dt>
            <dd>
              <RootButton store={store} root={finding.root} all={all} rules={rules} />
            </dd>
          </>
        )}
        {why !== "" && (
          <>
            <dt>Why it matters</dt>
            <dd>{why}</dd>
          </>
        )}
        <dt>What to try</dt>
        <dd>{finding.advice}</dd>
        <dt>False alarm if</dt>
        <dd>{finding.might_be_wrong}</dd>
        <dt>Source</dt>
        <dd class="source">{finding.source}</dd>
      </dl>
      <FindingActions store={store} finding={finding} all={all} />
    </article>
  );
}

/** A finding may grow after it was opened: units that died later move `since_step` past `opened_step`. */
function sinceWords({ since_step, opened_step, last_step, closed_step }: Finding): string {
  const opened = formatCount(opened_step);
  const confirmed =
    opened_step > since_step
      ? `, confirmed at step ${opened} (until then its bar in the timeline is hatched)`
      : opened_step < since_step
        ? ` in this form, first confirmed at step ${opened}`
        : "";
  const end =
    closed_step === null
      ? `still present at step ${formatCount(last_step)}`
      : `resolved at step ${formatCount(closed_step)}`;
  return `${confirmed}, ${end}`;
}

function unitWords(finding: Finding): string {
  const named = finding.units.slice(0, SHOWN_UNITS).map(String).join(", ");
  const rest = finding.unit_count - Math.min(SHOWN_UNITS, finding.units.length);
  return `${formatCount(finding.unit_count)}: ${named}${rest > 0 ? ` and ${formatCount(rest)} more` : ""}`;
}

function StepButton({ store, step }: { readonly store: FindingListStore; readonly step: number }) {
  return (
    <button type="button" class="link" onClick={() => store.pinStep(step)}>
      step {formatCount(step)}
    </button>
  );
}

interface RootProps {
  readonly store: FindingListStore;
  readonly root: string;
  readonly all: readonly Finding[];
  readonly rules: readonly Rule[];
}

function RootButton({ store, root, all, rules }: RootProps) {
  const cause = all.find((finding) => finding.id === root);
  if (cause === undefined) return <>{root}</>;
  // A finding about the training as a whole is always in view.
  if (cause.layer === "") return <>{ruleTitle(cause.rule, rules)}</>;
  return (
    <button type="button" class="link" onClick={() => store.chooseLayer(cause.layer)}>
      {ruleTitle(cause.rule, rules)} in {cause.layer}
    </button>
  );
}
