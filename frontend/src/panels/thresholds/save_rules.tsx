import { useSignal } from "@preact/signals";
import { type Draft, type RulesFile, rulesFile } from "../../core/draft";
import type { Rule } from "../../core/types";
import { copyText, saveFile } from "../parts/save";

const FILE = "layer_health_rules.json";

interface SaveProps {
  readonly rules: readonly Rule[];
  readonly draft: Draft;
}

/** Saves the tried thresholds as a file that the command line and the callback take. */
export function SaveRules({ rules, draft }: SaveProps) {
  const file = rulesFile(rules, draft);
  const isEmpty = Object.keys(file).length === 0;
  const isCopied = useSignal(false);
  // For frames that forbid downloads, as in some editors.
  const copy = async () => {
    isCopied.value = await copyText(textOf(file));
  };
  return (
    <footer class="drawer-foot">
      <button type="button" disabled={isEmpty} onClick={() => saveFile(textFile(file), FILE)}>
        Save rules file
      </button>{" "}
      <button type="button" disabled={isEmpty} onClick={copy}>
        {isCopied.value ? "Copied" : "Copy"}
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

function textOf(rules: RulesFile): string {
  return `${JSON.stringify(rules, null, 2)}\n`;
}

function textFile(rules: RulesFile): Blob {
  return new Blob([textOf(rules)], { type: "application/json" });
}
