import { PALETTES } from "../../core/color";
import { openFindings } from "../../core/ranking";
import type { RunDescription } from "../../core/types";
import type { Store } from "../../state/store";
import { CurveMenu, type CurveStore } from "../parts/curve_menu";
import { ExportMenu } from "../parts/export_menu";
import { findingMarkers } from "../parts/finding_markers";
import { useTableChoice } from "../parts/number_table";
import { Await, Panel } from "../parts/panel";
import { RunKey } from "../parts/run_key";
import { SeriesGrid, type SeriesStore, SeriesTable, seriesTable } from "../parts/series_grid";

type LayerSeriesStore = SeriesStore &
  CurveStore &
  Pick<
    Store,
    "callSeries" | "chooseSeries" | "description" | "findings" | "layer" | "otherSeries" | "series" | "seriesStats"
  >;

/** Statistics of the chosen layer over time. */
export function LayerSeries({ store }: { readonly store: LayerSeriesStore }) {
  const { isTable, button } = useTableChoice();
  const layer = store.layer.value;
  const description = store.description.value.value;
  if (layer === null || description === null) return null;
  const open = openFindings(store.findings.value.value?.findings ?? [], layer.name);
  const palette = PALETTES[store.theme.value];
  const markers = findingMarkers(open, description.rules, palette);
  const table = () => {
    const frame = store.series.value.value;
    return frame === null ? null : seriesTable(frame, description.statistics);
  };
  const styles = store.runStyles.value;
  const tools = (
    <>
      <SeriesChooser store={store} description={description} />
      <CurveMenu store={store} />
      {button}
      <ExportMenu subject={`metrics of ${layer.name}`} file={[store.run.value?.name ?? "", layer.name]} table={table} />
    </>
  );
  return (
    <Panel id="series" title={`Metrics: ${layer.name}`} tools={tools}>
      {styles.length > 1 && (
        <p class="legend">
          {styles.map((style) => (
            <RunKey key={style.name} style={style} />
          ))}
        </p>
      )}
      <Await loaded={store.series.value} height={290}>
        {(frame) =>
          isTable ? (
            <SeriesTable store={store} frame={frame} statistics={description.statistics} subject={layer.name} />
          ) : (
            <SeriesGrid
              store={store}
              frame={frame}
              others={store.otherSeries.value.value}
              calls={store.callSeries.value.value}
              statistics={description.statistics}
              markers={markers}
              subject={layer.name}
            />
          )
        }
      </Await>
    </Panel>
  );
}

function SeriesChooser({
  store,
  description,
}: {
  readonly store: LayerSeriesStore;
  readonly description: RunDescription;
}) {
  const chosen = store.seriesStats.value;
  const toggle = (id: string) => {
    const next = chosen.includes(id) ? chosen.filter((other) => other !== id) : [...chosen, id];
    store.chooseSeries(description.statistics.map((statistic) => statistic.id).filter((each) => next.includes(each)));
  };
  return (
    <details class="menu">
      <summary>Statistics</summary>
      <fieldset>
        <legend class="only-read">Statistics to show</legend>
        {description.statistics.map(({ id, title, about }) => (
          <label key={id} title={about}>
            <input type="checkbox" checked={chosen.includes(id)} onChange={() => toggle(id)} />
            {title}
          </label>
        ))}
      </fieldset>
    </details>
  );
}
