import { TRAINING_STATISTICS } from "../state/answers";
import type { Store } from "../state/store";
import { useTableChoice } from "./number_table";
import { Await, Panel } from "./panel";
import { SeriesGrid, SeriesTable } from "./series_grid";

/** Figures of the training itself: loss and learning rate. */
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
              statistics={statistics}
              markers={[]}
              subject="the training"
            />
          )
        }
      </Await>
    </Panel>
  );
}
