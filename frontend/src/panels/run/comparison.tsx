import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { APART, type Divergence, firstDivergence, LASTING } from "../../core/divergence";
import { formatCount, formatValue, plural } from "../../core/format";
import type { Frame, SeriesHeader } from "../../core/frame";
import { firstHealthDifference } from "../../core/health_difference";
import { bestRuns, bestSentence, shownMetrics } from "../../core/metrics";
import { indexOfStep } from "../../core/scale";
import type { Findings, Run, Statistic } from "../../core/types";
import type { RunStyle, Store } from "../../state/store";
import { Shape } from "../parts/badge";
import { Panel } from "../parts/panel";
import { RunKey } from "../parts/run_key";

type ComparisonStore = Pick<
  Store,
  | "chooseLayer"
  | "cursor"
  | "depth"
  | "depthStat"
  | "description"
  | "findings"
  | "otherDepths"
  | "otherFindings"
  | "otherTrainings"
  | "pinStep"
  | "runStyles"
  | "runs"
  | "training"
>;

/** Verdict and loss of each run, and where it diverges from the main run. */
export function Comparison({ store }: { readonly store: ComparisonStore }) {
  const styles = store.runStyles.value;
  const description = store.description.value.value;
  if (styles.length < 2 || description === null) return null;
  const statistic = description.statistics.find(({ id }) => id === store.depthStat.value);
  const listed = store.runs.value.value ?? [];
  const compared = styles.flatMap(({ name }) => listed.find((run) => run.name === name) ?? []);
  // Losses of single batches do not show which run is better.
  const trained = compared.filter(({ epoch }) => epoch !== null);
  const metrics = shownMetrics(trained);
  const sentence = bestSentence(trained, (value) => formatValue(value));
  return (
    <Panel id="comparison" title="Run comparison">
      {sentence !== "" && <p class="best">{sentence}</p>}
      <div class="table-wide">
        <table class="runs-table">
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Verdict</th>
              {metrics.map((metric) => (
                <th key={metric} scope="col">
                  {metric}
                </th>
              ))}
              <th scope="col">Batch loss</th>
              <th scope="col">First divergence</th>
            </tr>
          </thead>
          <tbody>
            {styles.map((style, place) => (
              <RunRow key={style.name} store={store} style={style} isMain={place === 0} statistic={statistic}>
                {metrics.map((metric) => (
                  <MetricCell key={metric} runs={trained} name={style.name} metric={metric} />
                ))}
              </RunRow>
            ))}
          </tbody>
        </table>
      </div>
      {statistic !== undefined && (
        <p class="about">
          Diverged: {statistic.title.toLowerCase()} differs from {styles[0]?.name} by more than{" "}
          {formatValue(APART, "share")} of the larger value for {LASTING} recorded steps in a row. Choose the statistic
          under “Depth profile”. Layers are matched by name.
        </p>
      )}
    </Panel>
  );
}

interface RunRowProps {
  readonly store: ComparisonStore;
  readonly style: RunStyle;
  readonly isMain: boolean;
  readonly statistic: Statistic | undefined;
  readonly children: ComponentChildren;
}

function RunRow({ store, style, isMain, statistic, children }: RunRowProps) {
  const { name } = style;
  const findings = isMain ? store.findings.value.value : store.otherFindings.value.value?.get(name);
  const training = isMain ? store.training.value.value : store.otherTrainings.value.value?.get(name);
  return (
    <tr>
      <th scope="row">
        <RunKey style={style} />
      </th>
      <td>
        <RunVerdict findings={findings ?? null} />
      </td>
      {children}
      <td data-label="Batch loss">
        <LossAtCursor store={store} training={training ?? null} />
      </td>
      <td data-label="First divergence">
        {isMain ? (
          <span class="quiet-words">baseline</span>
        ) : (
          <>
            <HealthDifference store={store} run={name} />
            <DivergenceWords store={store} run={name} statistic={statistic} />
          </>
        )}
      </td>
    </tr>
  );
}

interface MetricProps {
  readonly runs: readonly Run[];
  readonly name: string;
  readonly metric: string;
}

/** The metric at the end of the last epoch. */
function MetricCell({ runs, name, metric }: MetricProps) {
  const run = runs.find((each) => each.name === name);
  const value = run?.metrics[metric];
  if (run === undefined || value === undefined) return <td data-label={metric} />;
  const isBest = bestRuns(runs, metric).has(name);
  return (
    <td data-label={metric} title={`after epoch ${formatCount((run.epoch ?? 0) + 1)}`}>
      {isBest ? <b>{formatValue(value)}</b> : formatValue(value)}
      {isBest && <small> best</small>}
    </td>
  );
}

function RunVerdict({ findings }: { readonly findings: Findings | null }) {
  if (findings === null) return <>…</>;
  const { severity, sentence } = findings.verdict;
  return (
    <>
      <Shape state={severity ?? "ok"} /> {sentence}
    </>
  );
}

interface LossProps {
  readonly store: ComparisonStore;
  readonly training: Frame<SeriesHeader> | null;
}

function LossAtCursor({ store, training }: LossProps) {
  const row = training?.header.stats.indexOf("loss") ?? -1;
  if (training === null || row < 0) return <>…</>;
  const { steps } = training.header;
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  return (
    <>
      {formatValue(training.data[row * steps.length + index])}
      <small class="at-step">step {formatCount(steps[index] ?? 0)}</small>
    </>
  );
}

/** From which layer on one of the runs is sick and the other is not. */
function HealthDifference({ store, run }: { readonly store: ComparisonStore; readonly run: string }) {
  const main = store.findings.value.value?.findings;
  const other = store.otherFindings.value.value?.get(run)?.findings;
  const first = main === undefined || other === undefined ? null : firstHealthDifference(main, other);
  if (first === null) return null;
  const { layer, step, isOther } = first;
  return (
    <div>
      health:{" "}
      <button
        type="button"
        class="link"
        onClick={() => {
          if (layer !== "") store.chooseLayer(layer);
          store.pinStep(step);
        }}
      >
        {layer === "" ? "the training" : layer} since step {formatCount(step)}
      </button>
      {isOther && <span class="quiet-words"> (here)</span>}
    </div>
  );
}

interface DivergenceProps {
  readonly store: ComparisonStore;
  readonly run: string;
  readonly statistic: Statistic | undefined;
}

function DivergenceWords({ store, run, statistic }: DivergenceProps) {
  const main = store.depth.value.value;
  const other = store.otherDepths.value.value?.get(run) ?? null;
  const divergence = useMemo(
    () => (main === null || other === null ? null : firstDivergence(main, other)),
    [main, other],
  );
  if (main === null || other === null || statistic === undefined) return <>…</>;
  const shared = main.header.layers.filter((layer) => other.header.layers.includes(layer)).length;
  if (shared === 0) return <>no shared layers</>;
  if (divergence === null) return <>no divergence ({plural(shared, "shared layer")})</>;
  return <GoTo store={store} divergence={divergence} unit={statistic.unit} />;
}

interface GoToProps {
  readonly store: ComparisonStore;
  readonly divergence: Divergence;
  readonly unit: string;
}

function GoTo({ store, divergence, unit }: GoToProps) {
  const { layer, step, value, other } = divergence;
  return (
    <>
      <button
        type="button"
        class="link"
        onClick={() => {
          store.chooseLayer(layer);
          store.pinStep(step);
        }}
      >
        {layer} at step {formatCount(step)}
      </button>
      <div class="quiet-words">
        {formatValue(other, unit)} vs. {formatValue(value, unit)}
      </div>
    </>
  );
}
