import { PALETTES } from "../../core/color";
import type { Frame, SeriesHeader } from "../../core/frame";
import { frameRow, lastMeasured } from "../../core/points";
import { TRAINING_STATISTICS } from "../../state/answers";
import type { Store } from "../../state/store";
import { CurveMenu, type CurveStore } from "../parts/curve_menu";
import { ExportMenu } from "../parts/export_menu";
import { findingMarkers } from "../parts/finding_markers";
import { useTableChoice } from "../parts/number_table";
import { Await, Panel } from "../parts/panel";
import { SeriesGrid, type SeriesStore, SeriesTable, seriesTable } from "../parts/series_grid";
import { EpochMetrics, type EpochStore } from "./epoch_metrics";
import { Heartbeat, type HeartbeatStore } from "./heartbeat";

type TrainingStore = SeriesStore &
  CurveStore &
  HeartbeatStore &
  EpochStore &
  Pick<Store, "description" | "findings" | "otherTrainings" | "training">;

/** Measured only for autoencoders and with several optimizers; other runs need no empty chart. */
const RARELY_MEASURED = ["reconstruction_error", "first_learning_rate"];

/** Metrics of the training itself, with the steps at which findings began. Every recorded series gets a chart. */
export function Training({ store }: { readonly store: TrainingStore }) {
  const { isTable, button } = useTableChoice();
  const description = store.description.value.value;
  const recorded = description?.step_statistics ?? [];
  const statistics = recorded.filter(({ id }) => TRAINING_STATISTICS.includes(id));
  const open = store.findings.value.value?.findings.filter(
    ({ closed_step, root }) => closed_step === null && root === null,
  );
  const markers = findingMarkers(open ?? [], description?.rules ?? [], PALETTES[store.theme.value]);
  const table = () => {
    const frame = store.training.value.value;
    return frame === null ? null : seriesTable(frame, recorded);
  };
  const tools = (
    <>
      <CurveMenu store={store} />
      {button}
      <ExportMenu subject="training" file={[store.run.value?.name ?? "", "training"]} table={table} />
    </>
  );
  return (
    <Panel id="training" title="Training" tools={tools}>
      <Heartbeat store={store} />
      <Await loaded={store.training.value} height={150} idle="This run has no training metrics.">
        {(frame) => (
          <div class="training-charts">
            {isTable ? (
              <SeriesTable
                store={store}
                frame={frame}
                statistics={recorded.filter(({ id }) => frame.header.stats.includes(id))}
                subject="training"
              />
            ) : (
              <SeriesGrid
                store={store}
                frame={frame}
                others={store.otherTrainings.value.value}
                statistics={statistics.filter(({ id }) => !RARELY_MEASURED.includes(id) || isMeasured(frame, id))}
                markers={markers}
                subject="training"
              />
            )}
            <EpochMetrics store={store} isTable={isTable} />
          </div>
        )}
      </Await>
    </Panel>
  );
}

function isMeasured({ header, data }: Frame<SeriesHeader>, id: string): boolean {
  const { stats, steps } = header;
  return stats.includes(id) && lastMeasured(frameRow(data, stats.indexOf(id), steps.length)) >= 0;
}
