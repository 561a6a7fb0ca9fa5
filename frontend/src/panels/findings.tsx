import { useEffect, useRef } from "preact/hooks";
import { formatCount, formatValue, layerFacts, plural, quantityUnit } from "../core/format";
import { ruleTitle } from "../core/ranking";
import { stateSentence, stateWord, waitsFor } from "../core/severity";
import type { Finding, Layer, Rule, RunDescription } from "../core/types";
import type { Store } from "../state/store";
import { Badge, Shape } from "./badge";
import { CallSites, StockLinks } from "./layer_links";
import { Await, Panel } from "./panel";

/** Everything that was found about the chosen layer, in words. */
export function LayerFindings({ store }: { readonly store: Store }) {
  const layer = store.layer.value;
  const description = store.description.value.value;
  const rules = description?.rules ?? [];
  if (layer === null || description === null) return null;
  return (
    <Panel id="findings" title={layer.name}>
      <p class="layer-facts">{layerFacts(layer)}</p>
      <CallSites store={store} layer={layer} description={description} />
      {layer.not_observed !== "" && <p class="message">Not observable: {layer.not_observed}</p>}
      <Await loaded={store.findings.value} height={220}>
        {(answer) => (
          <FindingList
            store={store}
            all={answer.findings}
            findings={answer.findings.filter((finding) => finding.layer === layer.name)}
            rules={rules}
            silence={stateSentence(layer, rules)}
          />
        )}
      </Await>
      <RuleOutcomes layer={layer} description={description} />
      <StockLinks store={store} layer={layer} />
    </Panel>
  );
}

interface FindingListProps {
  readonly store: Store;
  readonly all: readonly Finding[];
  readonly findings: readonly Finding[];
  readonly rules: readonly Rule[];
  /** What is said when nothing was found. */
  readonly silence: string;
}

export function FindingList({ store, all, findings, rules, silence }: FindingListProps) {
  const open = findings.filter((finding) => finding.closed_step === null);
  const closed = findings.filter((finding) => finding.closed_step !== null);
  const article = (finding: Finding) => (
    <FindingArticle key={finding.id} store={store} finding={finding} all={all} rules={rules} />
  );
  return (
    <>
      {open.length === 0 && <p class="silence">{silence}</p>}
      {open.map(article)}
      {closed.length > 0 && (
        <details class="closed">
          <summary>{plural(closed.length, "earlier finding")}, no longer so</summary>
          {closed.map(article)}
        </details>
      )}
    </>
  );
}

interface FindingProps {
  readonly store: Store;
  readonly finding: Finding;
  readonly all: readonly Finding[];
  readonly rules: readonly Rule[];
}

const SHOWN_UNITS = 12;

function FindingArticle({ store, finding, all, rules }: FindingProps) {
  const unit = quantityUnit(finding.quantity);
  const why = rules.find(({ id }) => id === finding.rule)?.why ?? "";
  const article = useRef<HTMLElement>(null);
  const isWanted = store.wantedFinding.value === finding.id;
  useEffect(() => {
    if (!isWanted) return;
    article.current?.focus();
    store.arriveAtFinding();
  }, [isWanted]);
  return (
    <article ref={article} class="finding" tabIndex={-1}>
      <h3>
        <Badge state={finding.severity} /> {ruleTitle(finding.rule, rules)}
      </h3>
      <p>{finding.message}</p>
      <dl>
        <dt>Evidence</dt>
        <dd>
          {finding.quantity} <strong>{formatValue(finding.value, unit)}</strong>, threshold{" "}
          {formatValue(finding.threshold, unit)}; {plural(finding.samples, "sample")} in{" "}
          {plural(finding.checks, "check")} in a row
        </dd>
        <dt>Since</dt>
        <dd>
          <StepButton store={store} step={finding.since_step} />
          {finding.opened_step > finding.since_step && `, certain at ${formatCount(finding.opened_step)}`}
          {finding.opened_step < finding.since_step && `, opened at ${formatCount(finding.opened_step)}`}
          {finding.closed_step === null
            ? `, last confirmed at ${formatCount(finding.last_step)}`
            : `, gone at ${formatCount(finding.closed_step)}`}
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
        <dt>Might be wrong</dt>
        <dd>{finding.might_be_wrong}</dd>
        <dt>Source</dt>
        <dd class="source">{finding.source}</dd>
      </dl>
    </article>
  );
}

function unitWords(finding: Finding): string {
  const named = finding.units.slice(0, SHOWN_UNITS).map(formatCount).join(", ");
  const rest = finding.unit_count - Math.min(SHOWN_UNITS, finding.units.length);
  return `${formatCount(finding.unit_count)}: ${named}${rest > 0 ? ` and ${formatCount(rest)} more` : ""}`;
}

function StepButton({ store, step }: { readonly store: Store; readonly step: number }) {
  return (
    <button type="button" class="link" onClick={() => store.pinStep(step)}>
      step {formatCount(step)}
    </button>
  );
}

interface RootProps {
  readonly store: Store;
  readonly root: string;
  readonly all: readonly Finding[];
  readonly rules: readonly Rule[];
}

function RootButton({ store, root, all, rules }: RootProps) {
  const cause = all.find((finding) => finding.id === root);
  if (cause === undefined) return <>{root}</>;
  return (
    <button type="button" class="link" onClick={() => store.chooseLayer(cause.layer)}>
      {ruleTitle(cause.rule, rules)} in {cause.layer}
    </button>
  );
}

/** What every rule said of the layer; what was not evaluated is told apart from what was found healthy. */
function RuleOutcomes({ layer, description }: { readonly layer: Layer; readonly description: RunDescription }) {
  const { rules, thresholds } = description;
  if (rules.length === 0 || layer.outcomes.length === 0) return null;
  return (
    <table class="outcomes">
      <caption>Rules at the last step</caption>
      <tbody>
        {rules.map((rule, index) => {
          const outcome = layer.outcomes[index] ?? "insufficient_data";
          return (
            <tr key={rule.id}>
              <th scope="row">{rule.title}</th>
              <td>
                <Shape state={outcome} isNamed={false} /> {stateWord(outcome)}
                {outcome === "insufficient_data" && waitsFor(rule.id, thresholds)}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
