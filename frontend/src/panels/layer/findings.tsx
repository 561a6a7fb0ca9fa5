import { layerFacts } from "../../core/format";
import { stateSentence, stateWord, waitsFor } from "../../core/severity";
import type { Layer, RunDescription } from "../../core/types";
import type { Store } from "../../state/store";
import { Shape } from "../parts/badge";
import { FindingList, type FindingListStore } from "../parts/finding_list";
import { Await, Panel } from "../parts/panel";
import { CallSites, type LinkStore, StockLinks } from "./layer_links";

type LayerFindingsStore = FindingListStore & LinkStore & Pick<Store, "layer" | "description" | "findings">;

/** All findings of the chosen layer. */
export function LayerFindings({ store }: { readonly store: LayerFindingsStore }) {
  const layer = store.layer.value;
  const description = store.description.value.value;
  const rules = description?.rules ?? [];
  if (layer === null || description === null) return null;
  return (
    <Panel id="findings" title={layer.name}>
      <p class="layer-facts">{layerFacts(layer)}</p>
      <CallSites store={store} layer={layer} description={description} />
      {layer.not_observed !== "" && <p class="message">Not observable: {layer.not_observed}</p>}
      <Await loaded={store.findings.value} height={220}>
        {(answer) => (
          <FindingList
            store={store}
            all={answer.findings}
            findings={answer.findings.filter((finding) => finding.layer === layer.name)}
            rules={rules}
            silence={stateSentence(layer, rules)}
          />
        )}
      </Await>
      <RuleOutcomes layer={layer} description={description} />
      <StockLinks store={store} layer={layer} />
    </Panel>
  );
}

/** The outcome of every rule for the layer; distinguishes "not evaluated" from "OK". */
function RuleOutcomes({ layer, description }: { readonly layer: Layer; readonly description: RunDescription }) {
  const { rules } = description;
  if (rules.length === 0 || layer.outcomes.length === 0) return null;
  return (
    <table class="outcomes">
      <caption>Rules at the last step</caption>
      <tbody>
        {rules.map((rule, index) => {
          if (rule.outcome !== null) return null;
          const outcome = layer.outcomes[index] ?? "insufficient_data";
          return (
            <tr key={rule.id}>
              <th scope="row">{rule.title}</th>
              <td>
                <Shape state={outcome} isNamed={false} /> {stateWord(outcome)}
                {outcome === "insufficient_data" && waitsFor(rule.id, description)}
                {layer.muted.includes(index) && " (muted)"}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
