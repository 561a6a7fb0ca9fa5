import type { Frame, SeriesHeader } from "../core/frame";
import { frameRow, lastMeasured } from "../core/points";
import { TRAINING_STATISTICS } from "../state/answers";
import type { Store } from "../state/store";
import { useTableChoice } from "./number_table";
import { Await, Panel } from "./panel";
import { SeriesGrid, SeriesTable } from "./series_grid";

/** Measured of autoencoders only; other runs need no empty chart of it. */
const SELDOM_MEASURED = "reconstruction_error";

/** Figures of the training itself: loss, learning rate and, of autoencoders, reconstruction error. */
export function Training({ store }: { readonly store: Store }) {
  const { isTable, button } = useTableChoice();
  const recorded = store.description.value.value?.step_statistics ?? [];
  const statistics = recorded.filter(({ id }) => TRAINING_STATISTICS.includes(id));
  return (
    <Panel id="training" title="Training" tools={button}>
      <Await loaded={store.training.value} height={150} idle="This run holds no figures of the training itself.">
        {(frame) =>
          isTable ? (
            <SeriesTable store={store} frame={frame} statistics={recorded} subject="the training" />
          ) : (
            <SeriesGrid
              store={store}
              frame={frame}
              others={store.otherTrainings.value.value}
              statistics={statistics.filter(({ id }) => id !== SELDOM_MEASURED || isMeasured(frame, id))}
              markers={[]}
              subject="the training"
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
