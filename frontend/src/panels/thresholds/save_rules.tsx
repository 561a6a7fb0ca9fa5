import { type Draft, type RulesFile, rulesFile } from "../../core/draft";
import type { Rule } from "../../core/types";
import { saveFile } from "../parts/save";

const FILE = "layer_health_rules.json";

interface SaveProps {
  readonly rules: readonly Rule[];
  readonly draft: Draft;
}

/** Saves the tried thresholds as a file that the command line and the callback take. */
export function SaveRules({ rules, draft }: SaveProps) {
  const file = rulesFile(rules, draft);
  const isEmpty = Object.keys(file).length === 0;
  return (
    <footer class="drawer-foot">
      <button type="button" disabled={isEmpty} onClick={() => saveFile(fileOf(file), FILE)}>
        Save rules file
      </button>
      <details>
        <summary>Use the file</summary>
        <p>Judge stored runs with it, or later trainings:</p>
        <pre>
          {`tb-activations check LOGDIR --thresholds ${FILE}`}
          {"\n\n"}
          {`rules = json.load(open("${FILE}"))\nLayerHealth(log_dir, rules=rules)`}
        </pre>
      </details>
    </footer>
  );
}

function fileOf(rules: RulesFile): Blob {
  return new Blob([`${JSON.stringify(rules, null, 2)}\n`], { type: "application/json" });
}
