import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { EvidenceChart } from "../../charts/evidence_chart";
import { evidenceOf } from "../../core/evidence";
import { fixOf } from "../../core/fix";
import { formatCount, formatMeasured, plural, thresholdWords } from "../../core/format";
import type { Frame, SeriesHeader } from "../../core/frame";
import { frameRow, lastMeasured } from "../../core/points";
import { ruleTitle } from "../../core/ranking";
import type { RootCause as Cause, Consequence } from "../../core/root_cause";
import { extentOf } from "../../core/scale";
import type { Finding, Rule, RunDescription } from "../../core/types";
import type { Store } from "../../state/store";
import { Shape } from "../parts/badge";
import { Panel } from "../parts/panel";
import { copyText } from "../parts/save";

export type RootCauseStore = Pick<
  Store,
  "chooseLayer" | "description" | "goToFinding" | "pinStep" | "rootCause" | "rootSeries" | "training"
>;

/** What to start with, what follows from it, on what evidence, and what to change. */
export function RootCause({ store }: { readonly store: RootCauseStore }) {
  const cause = store.rootCause.value;
  const description = store.description.value.value;
  if (cause === null || description === null) return null;
  const { finding } = cause;
  return (
    <Panel id="root-cause" title="Root cause">
      <div class="root-cause">
        <div>
          <h3>Order of onset</h3>
          <Chain store={store} cause={cause} rules={description.rules} />
          <Others store={store} others={cause.others} rules={description.rules} />
        </div>
        <Foldable title="Evidence">
          <Chart store={store} finding={finding} />
          <p class="about">
            {finding.quantity} {formatMeasured(finding.value, finding.unit)}, {thresholdWords(finding)};{" "}
            {plural(finding.checks, "observed step")}
            {finding.samples > 0 && `, ${plural(finding.samples, "sample")}`}
          </p>
        </Foldable>
        <Foldable title="What to try">
          <FixCode store={store} finding={finding} description={description} />
          <p>{finding.advice}</p>
          <h3>False alarm if</h3>
          <p class="about">{finding.might_be_wrong}</p>
        </Foldable>
      </div>
    </Panel>
  );
}

/** Closed at first on a narrow page, so that the timeline is not far below. */
function Foldable({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  const isOpen = useRef(!window.matchMedia("(max-width: 860px)").matches);
  return (
    <details open={isOpen.current}>
      <summary>
        <h3>{title}</h3>
      </summary>
      {children}
    </details>
  );
}

const SHOWN_GROUPS = 5;
const SHOWN_LAYERS = 2;

interface ChainProps {
  readonly store: RootCauseStore;
  readonly cause: Cause;
  readonly rules: readonly Rule[];
}

/** The root and its consequences as a tree whose branches leave in the order of onset. */
function Chain({ store, cause, rules }: ChainProps) {
  const { finding, consequences } = cause;
  const isWhole = useSignal(false);
  const shown = isWhole.value ? consequences : consequences.slice(0, SHOWN_GROUPS);
  const root: Consequence = {
    rule: finding.rule,
    step: finding.since_step,
    severity: finding.severity,
    layers: [finding.layer],
  };
  return (
    <>
      <ol class="chain">
        {[root, ...shown].map((each) => (
          <ChainRow key={`${each.rule} ${each.step} ${each.severity}`} store={store} group={each} rules={rules} />
        ))}
      </ol>
      {shown.length < consequences.length && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            isWhole.value = true;
          }}
        >
          Show {formatCount(consequences.length - shown.length)} more
        </button>
      )}
      {consequences.length === 0 && <p class="about">Nothing else follows from it.</p>}
    </>
  );
}

interface ChainRowProps {
  readonly store: RootCauseStore;
  readonly group: Consequence;
  readonly rules: readonly Rule[];
}

function ChainRow({ store, group, rules }: ChainRowProps) {
  const { layers, step } = group;
  const rest = layers.length - SHOWN_LAYERS;
  return (
    <li>
      <button type="button" class="link chain-step" onClick={() => store.pinStep(step)}>
        step {formatCount(step)}
      </button>
      <Shape state={group.severity} />
      <span>
        {ruleTitle(group.rule, rules)}
        {layers[0] !== "" && ": "}
        {layers.slice(0, SHOWN_LAYERS).map((layer, index) => (
          <span key={layer}>
            {index > 0 && ", "}
            <button type="button" class="link" onClick={() => store.chooseLayer(layer)}>
              {layer}
            </button>
          </span>
        ))}
        {rest > 0 && ` and ${plural(rest, "more layer")}`}
      </span>
    </li>
  );
}

interface OthersProps {
  readonly store: RootCauseStore;
  readonly others: readonly Finding[];
  readonly rules: readonly Rule[];
}

const SHOWN_OTHERS = 3;

function Others({ store, others, rules }: OthersProps) {
  if (others.length === 0) return null;
  const rest = others.length - SHOWN_OTHERS;
  return (
    <p class="about">
      Independent of it:{" "}
      {others.slice(0, SHOWN_OTHERS).map((finding, index) => (
        <span key={finding.id}>
          {index > 0 && "; "}
          <button type="button" class="link" onClick={() => store.goToFinding(finding)}>
            {ruleTitle(finding.rule, rules)}
            {finding.layer !== "" && ` in ${finding.layer}`}
          </button>{" "}
          since step {formatCount(finding.since_step)}
        </span>
      ))}
      {rest > 0 && ` and ${formatCount(rest)} more`}
    </p>
  );
}

function Chart({ store, finding }: { readonly store: RootCauseStore; readonly finding: Finding }) {
  const evidence = evidenceOf(finding);
  const own = store.rootSeries.value;
  const training = store.training.value.value;
  if (evidence.isOfLayer && own.value === null) {
    return own.isLoading ? <div class="evidence skeleton" aria-hidden="true" /> : null;
  }
  const shown = evidence.isOfLayer ? own.value : training;
  const steps = shown?.header.steps ?? [];
  const values = [...(rowOf(shown, evidence.statistic) ?? [])];
  if (!values.some(Number.isFinite)) return null;
  return (
    <EvidenceChart
      title={evidence.title}
      unit={evidence.unit}
      scale={evidence.scale}
      steps={steps}
      values={values}
      threshold={evidence.hasThreshold ? finding.threshold : null}
      since={finding.since_step}
    />
  );
}

function rowOf(frame: Frame<SeriesHeader> | null, id: string): Float32Array | null {
  const row = frame?.header.stats.indexOf(id) ?? -1;
  return frame === null || row < 0 ? null : frameRow(frame.data, row, frame.header.steps.length);
}

interface FixProps {
  readonly store: RootCauseStore;
  readonly finding: Finding;
  readonly description: RunDescription;
}

/** The suggested change as code, with a button to copy it. */
function FixCode({ store, finding, description }: FixProps) {
  const copied = useSignal("");
  const rates = rowOf(store.training.value.value, "learning_rate");
  const last = rates === null ? -1 : lastMeasured(rates);
  const layer = description.layers.find(({ name }) => name === finding.layer) ?? null;
  const lowest = rates === null ? null : (extentOf(rates, 0)?.low ?? null);
  const fix = fixOf(finding, layer, { last: rates?.[last] ?? null, lowest });
  if (fix === null) return null;
  const copy = async () => {
    // Where a page may not copy, the code can still be selected.
    copied.value = (await copyText(fix.code)) ? fix.code : "";
  };
  return (
    <figure class="fix">
      <figcaption>
        <span>{fix.about}</span>
        <button type="button" onClick={copy}>
          {copied.value === fix.code ? "Copied" : "Copy"}
        </button>
      </figcaption>
      <pre>
        <code>{fix.code}</code>
      </pre>
    </figure>
  );
}
