import { failureTitle, kindOf } from "../core/failures";
import { sentence } from "../core/format";
import type { Run } from "../core/types";
import type { Store } from "../state/store";
import { Landing } from "./landing/landing";
import { Distribution } from "./layer/distribution";
import { LayerFindings } from "./layer/findings";
import { LayerSeries } from "./layer/layer_series";
import { Pictures } from "./layer/pictures";
import { ThroughTime } from "./layer/through_time";
import { UnitLives } from "./layer/unit_lives";
import { FailureState } from "./parts/full_state";
import { Fence } from "./parts/panel";
import { LeftOutBanner, MissingRunBanner, StaleBanner } from "./run/banners";
import { Comparison } from "./run/comparison";
import { CostPanel } from "./run/cost";
import { DepthProfile } from "./run/depth_profile";
import { EmptyState } from "./run/empty_state";
import { Header } from "./run/header";
import { HealthLanes } from "./run/health_lanes";
import { LayerMatrix } from "./run/layer_matrix";
import { Layers } from "./run/layers";
import { ModelFindings } from "./run/model_findings";
import { ModelMap } from "./run/model_map";
import { RootCause } from "./run/root_cause";
import { RunSettings } from "./run/settings";
import { StepDock } from "./run/step_dock";
import { Training } from "./run/training";
import { VerdictLine } from "./run/verdict";
import { ThresholdDrawer } from "./thresholds/drawer";

export function App({ store }: { readonly store: Store }) {
  const runs = store.runs.value;
  if (runs.value === null) {
    if (runs.error === null) return <Waiting />;
    return (
      <main>
        <FailureState
          title="The runs could not be loaded"
          reason={sentence(runs.error.message)}
          onRetry={store.reload}
        />
      </main>
    );
  }
  return (
    <main aria-busy={runs.isLoading}>
      <StaleBanner store={store} />
      <MissingRunBanner store={store} />
      <LeftOutBanner store={store} />
      <Body store={store} runs={runs.value} />
    </main>
  );
}

function Body({ store, runs }: { readonly store: Store; readonly runs: readonly Run[] }) {
  if (runs.length === 0) return <EmptyState store={store} />;
  return store.isLanding.value ? <Landing store={store} runs={runs} /> : <RunView store={store} runs={runs} />;
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

function RunView({ store, runs }: { readonly store: Store; readonly runs: readonly Run[] }) {
  return (
    <>
      <Header store={store} runs={runs} />
      <StepDock store={store} />
      <RunBody store={store} />
    </>
  );
}

function RunBody({ store }: { readonly store: Store }) {
  const run = store.run.value;
  const { value: description, error } = store.description.value;
  if (run === null) return null;
  if (!run.readable) {
    const title = failureTitle(run.name, run.kind);
    return <FailureState title={title} reason={sentence(run.reason)} onRetry={store.reload} />;
  }
  if (description === null && error !== null) {
    const title = failureTitle(run.name, kindOf(error));
    return <FailureState title={title} reason={sentence(error.message)} onRetry={store.reload} />;
  }
  return <RunPanels store={store} run={run} layers={description?.layers.length ?? 0} />;
}

/** Number of layers above which the map takes the whole width. */
const LARGE_MODEL = 30;

interface RunPanelsProps {
  readonly store: Store;
  readonly run: Run;
  readonly layers: number;
}

function RunPanels({ store, run, layers }: RunPanelsProps) {
  const isLarge = layers > LARGE_MODEL;
  return (
    <>
      <Fence subject={run.name}>
        <VerdictLine store={store} />
      </Fence>
      <Comparison store={store} />
      <HealthLanes store={store} />
      <RootCause store={store} />
      <div class="columns">
        <div class="column">
          <Layers store={store} />
          <ModelFindings store={store} />
          <LayerFindings store={store} />
          {!isLarge && <ModelMap store={store} />}
          <CostPanel store={store} />
        </div>
        <div class="column">
          <Training store={store} />
          <LayerMatrix store={store} />
          <DepthProfile store={store} />
          <LayerSeries store={store} />
          <Distribution store={store} />
          <ThroughTime store={store} />
          <UnitLives store={store} />
          <Pictures store={store} />
        </div>
      </div>
      {isLarge && <ModelMap store={store} />}
      <RunSettings store={store} />
      <ThresholdDrawer store={store} />
    </>
  );
}
