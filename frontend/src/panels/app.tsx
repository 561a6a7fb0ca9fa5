import type { Run } from "../core/types";
import type { Store } from "../state/store";
import { Comparison } from "./comparison";
import { CostPanel } from "./cost";
import { DepthProfile } from "./depth_profile";
import { Distribution } from "./distribution";
import { LayerFindings } from "./findings";
import { Header } from "./header";
import { Judgement } from "./judgement";
import { LayerMatrix } from "./layer_matrix";
import { LayerSeries } from "./layer_series";
import { Layers } from "./layers";
import { ModelMap } from "./model_map";
import { Fence } from "./panel";
import { Pictures } from "./pictures";
import { EmptyState, FullState, LeftOutBanner, MissingRunBanner, ModelFindings, StaleBanner } from "./states";
import { Training } from "./training";
import { UnitLives } from "./unit_lives";
import { VerdictLine } from "./verdict";

export function App({ store }: { readonly store: Store }) {
  const runs = store.runs.value;
  if (runs.value === null) {
    if (runs.error === null) return <Waiting />;
    return (
      <main>
        <FullState title="The runs could not be loaded" isAlert={true}>
          <p>{runs.error.message}</p>
          <RetryButton store={store} />
        </FullState>
      </main>
    );
  }
  return (
    <main aria-busy={runs.isLoading}>
      <StaleBanner store={store} />
      <MissingRunBanner store={store} />
      <LeftOutBanner store={store} />
      {runs.value.length === 0 ? <EmptyState store={store} /> : <RunView store={store} runs={runs.value} />}
    </main>
  );
}

function Waiting() {
  return (
    <main aria-busy="true" aria-label="Loading">
      <div class="bar skeleton" aria-hidden="true" />
      <div class="verdict skeleton" aria-hidden="true" />
      <div class="columns" aria-hidden="true">
        <div class="column">
          <div class="skeleton" style={{ height: "420px" }} />
        </div>
        <div class="column">
          <div class="skeleton" style={{ height: "420px" }} />
        </div>
      </div>
    </main>
  );
}

function RetryButton({ store }: { readonly store: Store }) {
  return (
    <button type="button" onClick={store.reload}>
      Retry
    </button>
  );
}

function RunView({ store, runs }: { readonly store: Store; readonly runs: readonly Run[] }) {
  return (
    <>
      <Header store={store} runs={runs} />
      <RunBody store={store} />
    </>
  );
}

/** Layers; the map of a larger model takes the whole width. */
const LARGE_MODEL = 30;

function RunBody({ store }: { readonly store: Store }) {
  const run = store.run.value;
  const description = store.description.value;
  const isLarge = (description.value?.layers.length ?? 0) > LARGE_MODEL;
  if (run === null) return null;
  if (!run.readable) {
    return (
      <FullState title={`“${run.name}” cannot be read`} isAlert={true}>
        <p>{run.reason}</p>
        <RetryButton store={store} />
      </FullState>
    );
  }
  if (description.value === null && description.error !== null) {
    return (
      <FullState title={failureTitle(run, description.error)} isAlert={true}>
        <p>{description.error.message}</p>
        <RetryButton store={store} />
      </FullState>
    );
  }
  return (
    <>
      <Fence subject={run.name}>
        <VerdictLine store={store} />
      </Fence>
      <div class="columns">
        <div class="column">
          <Layers store={store} />
          <ModelFindings store={store} />
          <LayerFindings store={store} />
          {!isLarge && <ModelMap store={store} />}
          <CostPanel store={store} />
        </div>
        <div class="column">
          <Comparison store={store} />
          <LayerMatrix store={store} />
          <DepthProfile store={store} />
          <LayerSeries store={store} />
          <Distribution store={store} />
          <UnitLives store={store} />
          <Pictures store={store} />
          <Training store={store} />
        </div>
      </div>
      {isLarge && <ModelMap store={store} />}
      <Judgement store={store} />
    </>
  );
}

function failureTitle(run: Run, error: Error): string {
  const isNewer = "kind" in error && error.kind === "newer_schema";
  return isNewer ? `“${run.name}” was written by a newer version` : `“${run.name}” could not be loaded`;
}
