import { formatValue } from "../../core/format";
import { ruleTitle } from "../../core/ranking";
import { thresholdText } from "../../core/slider";
import type { RunDescription } from "../../core/types";
import type { Store } from "../../state/store";

type SettingsStore = Pick<Store, "description">;

/** How the run was observed and judged: thresholds, sampling, versions. */
export function RunSettings({ store }: { readonly store: SettingsStore }) {
  const description = store.description.value.value;
  if (description === null) return null;
  return (
    <details class="settings">
      <summary>How this run was observed and judged</summary>
      <div class="settings-body">
        <Thresholds description={description} />
        <Facts caption="Sampling" facts={description.cadence} />
        <Facts caption="Versions" facts={{ ...description.versions, "event format": description.schema_version }} />
      </div>
    </details>
  );
}

function Thresholds({ description }: { readonly description: RunDescription }) {
  const rows = Object.entries(description.thresholds).flatMap(([rule, parameters]) =>
    Object.entries(parameters).map(([name, value]) => {
      const known = description.rules.find(({ id }) => id === rule)?.thresholds.find(({ id }) => id === name);
      return { rule, name, value, known };
    }),
  );
  if (rows.length === 0) return null;
  return (
    <table class="facts-table">
      <caption>Thresholds</caption>
      <tbody>
        {rows.map(({ rule, name, value, known }) => (
          <tr key={`${rule} ${name}`}>
            <th scope="row">
              {ruleTitle(rule, description.rules)}: {known?.title.toLowerCase() ?? name.replaceAll("_", " ")}
            </th>
            <td>{known === undefined ? formatValue(value) : thresholdText(known, known.value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Facts({ caption, facts }: { readonly caption: string; readonly facts: Readonly<Record<string, unknown>> }) {
  const rows = Object.entries(facts);
  if (rows.length === 0) return null;
  return (
    <table class="facts-table">
      <caption>{caption}</caption>
      <tbody>
        {rows.map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name.replaceAll("_", " ")}</th>
            <td>{typeof value === "number" ? formatValue(value) : String(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
