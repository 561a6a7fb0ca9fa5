import type { Frame, SeriesHeader } from "../../core/frame";
import { frameRow, lastMeasured } from "../../core/points";
import { TRAINING_STATISTICS } from "../../state/answers";
import type { Store } from "../../state/store";
import { useTableChoice } from "../parts/number_table";
import { Await, Panel } from "../parts/panel";
import { SeriesGrid, type SeriesStore, SeriesTable } from "../parts/series_grid";

type TrainingStore = SeriesStore & Pick<Store, "description" | "otherTrainings" | "training">;

/** Measured only for autoencoders; other runs need no empty chart. */
const RARELY_MEASURED = "reconstruction_error";

/** Metrics of the training itself: loss, learning rate and, for autoencoders, reconstruction error. */
export function Training({ store }: { readonly store: TrainingStore }) {
  const { isTable, button } = useTableChoice();
  const recorded = store.description.value.value?.step_statistics ?? [];
  const statistics = recorded.filter(({ id }) => TRAINING_STATISTICS.includes(id));
  return (
    <Panel id="training" title="Training" tools={button}>
      <Await loaded={store.training.value} height={150} idle="This run has no training metrics.">
        {(frame) =>
          isTable ? (
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
              statistics={statistics.filter(({ id }) => id !== RARELY_MEASURED || isMeasured(frame, id))}
              markers={[]}
              subject="training"
            />
          )
        }
      </Await>
    </Panel>
  );
}

function isMeasured({ header, data }: Frame<SeriesHeader>, id: string): boolean {
  const { stats, steps } = header;
  return stats.includes(id) && lastMeasured(frameRow(data, stats.indexOf(id), steps.length)) >= 0;
}
