import { findingsWithoutLayer } from "../../core/ranking";
import type { Store } from "../../state/store";
import { FindingList, type FindingListStore } from "../parts/finding_list";
import { Panel } from "../parts/panel";

type ModelFindingsStore = FindingListStore & Pick<Store, "description" | "findings">;

/** Findings about the training as a whole. */
export function ModelFindings({ store }: { readonly store: ModelFindingsStore }) {
  const answer = store.findings.value.value;
  const description = store.description.value.value;
  if (answer === null || description === null) return null;
  const findings = findingsWithoutLayer(answer.findings, description.layers);
  if (findings.length === 0) return null;
  return (
    <Panel id="model-findings" title="Training as a whole">
      <FindingList
        store={store}
        all={answer.findings}
        findings={findings}
        rules={description.rules}
        silence="No open findings about the training as a whole."
      />
    </Panel>
  );
}
