import { useMemo } from "preact/hooks";
import { APART, type Departure, firstDeparture, LASTING } from "../core/divergence";
import { formatCount, formatValue, plural } from "../core/format";
import type { Frame, SeriesHeader } from "../core/frame";
import { indexOfStep } from "../core/scale";
import type { Findings, Statistic } from "../core/types";
import type { RunStyle, Store } from "../state/store";
import { Shape } from "./badge";
import { Panel } from "./panel";
import { RunKey } from "./run_key";

/** Runs side by side: what was found in each, how far each came, and where they went different ways. */
export function Comparison({ store }: { readonly store: Store }) {
  const styles = store.runStyles.value;
  const description = store.description.value.value;
  if (styles.length < 2 || description === null) return null;
  const statistic = description.statistics.find(({ id }) => id === store.depthStat.value);
  return (
    <Panel id="comparison" title="Runs side by side">
      <div class="table-wide">
        <table class="runs-table">
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Verdict</th>
              <th scope="col">Loss</th>
              <th scope="col">First layer that went another way</th>
            </tr>
          </thead>
          <tbody>
            {styles.map((style, place) => (
              <RunRow key={style.name} store={store} style={style} isMain={place === 0} statistic={statistic} />
            ))}
          </tbody>
        </table>
      </div>
      {statistic !== undefined && (
        <p class="about">
          Another way: {statistic.title.toLowerCase()} differs from {styles[0]?.name} by more than{" "}
          {formatValue(APART, "share")} of the larger figure for {LASTING} recorded steps in a row. “Profile of” below
          chooses the statistic. Layers are matched by name.
        </p>
      )}
    </Panel>
  );
}

interface RunRowProps {
  readonly store: Store;
  readonly style: RunStyle;
  readonly isMain: boolean;
  readonly statistic: Statistic | undefined;
}

function RunRow({ store, style, isMain, statistic }: RunRowProps) {
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
      <td>
        <LossAtCursor store={store} training={training ?? null} />
      </td>
      <td>
        {isMain ? (
          <span class="quiet-words">compared with</span>
        ) : (
          <DepartureWords store={store} run={name} statistic={statistic} />
        )}
      </td>
    </tr>
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
  readonly store: Store;
  readonly training: Frame<SeriesHeader> | null;
}

function LossAtCursor({ store, training }: LossProps) {
  const row = training?.header.stats.indexOf("loss") ?? -1;
  if (training === null || row < 0) return <>…</>;
  const { steps } = training.header;
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  return (
    <>
      {formatValue(training.data[row * steps.length + index])} <small>step {formatCount(steps[index] ?? 0)}</small>
    </>
  );
}

interface DepartureProps {
  readonly store: Store;
  readonly run: string;
  readonly statistic: Statistic | undefined;
}

function DepartureWords({ store, run, statistic }: DepartureProps) {
  const main = store.depth.value.value;
  const other = store.otherDepths.value.value?.get(run) ?? null;
  const departure = useMemo(
    () => (main === null || other === null ? null : firstDeparture(main, other)),
    [main, other],
  );
  if (main === null || other === null || statistic === undefined) return <>…</>;
  const shared = main.header.layers.filter((layer) => other.header.layers.includes(layer)).length;
  if (shared === 0) return <>no layer of the same name</>;
  if (departure === null) return <>none of {plural(shared, "layer")}</>;
  return <GoTo store={store} departure={departure} unit={statistic.unit} />;
}

interface GoToProps {
  readonly store: Store;
  readonly departure: Departure;
  readonly unit: string;
}

function GoTo({ store, departure, unit }: GoToProps) {
  const { layer, step, value, other } = departure;
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
        {layer}, at step {formatCount(step)}
      </button>
      : {formatValue(other, unit)} against {formatValue(value, unit)}
    </>
  );
}
