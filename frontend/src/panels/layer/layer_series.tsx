import type { StepMarker } from "../../charts/timeseries";
import { PALETTES, type Palette } from "../../core/color";
import { openFindings } from "../../core/ranking";
import type { Finding, RunDescription } from "../../core/types";
import type { Store } from "../../state/store";
import { useTableChoice } from "../parts/number_table";
import { Await, Panel } from "../parts/panel";
import { RunKey } from "../parts/run_key";
import { SeriesGrid, type SeriesStore, SeriesTable } from "../parts/series_grid";

type LayerSeriesStore = SeriesStore &
  Pick<Store, "chooseSeries" | "description" | "findings" | "layer" | "otherSeries" | "series" | "seriesStats">;

/** Statistics of the chosen layer over time. */
export function LayerSeries({ store }: { readonly store: LayerSeriesStore }) {
  const { isTable, button } = useTableChoice();
  const layer = store.layer.value;
  const description = store.description.value.value;
  if (layer === null || description === null) return null;
  const open = openFindings(store.findings.value.value?.findings ?? [], layer.name);
  const palette = PALETTES[store.theme.value];
  const markers = findingMarkers(open, palette);
  const styles = store.runStyles.value;
  const tools = (
    <>
      <SeriesChooser store={store} description={description} />
      {button}
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

/** Marks where findings began. */
function findingMarkers(findings: readonly Finding[], palette: Palette): StepMarker[] {
  return findings.map(({ since_step, severity }) => ({ step: since_step, color: palette[severity] }));
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
