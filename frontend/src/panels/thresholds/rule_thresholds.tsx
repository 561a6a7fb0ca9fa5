import { useEffect, useId, useRef } from "preact/hooks";
import { draftValue } from "../../core/draft";
import { plural } from "../../core/format";
import { isCounting } from "../../core/ranking";
import {
  allowed,
  fromField,
  lastPosition,
  positionOf,
  thresholdText,
  toField,
  unitWord,
  valueAt,
} from "../../core/slider";
import type { Rule, Threshold } from "../../core/types";
import type { Store } from "../../state/store";

export type RuleThresholdsStore = Pick<Store, "draft" | "tryThreshold" | "tryRule" | "findings">;

interface RuleProps {
  readonly store: RuleThresholdsStore;
  readonly rule: Rule;
  /** Whether the drawer begins with it. */
  readonly isWanted: boolean;
}

export function RuleThresholds({ store, rule, isWanted }: RuleProps) {
  const fold = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (!isWanted || fold.current === null) return;
    fold.current.open = true;
    fold.current.scrollIntoView({ block: "nearest" });
  }, [isWanted]);
  const draft = store.draft.value;
  const isOn = !draft.off.includes(rule.id);
  const findings = store.findings.value.value?.findings ?? [];
  const count = findings.filter((finding) => finding.rule === rule.id && isCounting(finding)).length;
  return (
    <details class="drawer-rule" ref={fold}>
      <summary>
        <span>{rule.title}</span>
        <span class="drawer-rule-state">{stateWords(isOn, rule.id in draft.values, count)}</span>
      </summary>
      <label class="drawer-switch">
        <input
          type="checkbox"
          checked={isOn}
          onChange={(event) => store.tryRule(rule.id, event.currentTarget.checked)}
        />
        Check this rule
      </label>
      {isOn &&
        rule.thresholds.map((threshold) => (
          <ThresholdRow
            key={threshold.id}
            threshold={threshold}
            value={draftValue(draft, rule.id, threshold)}
            onChange={(value) => store.tryThreshold(rule.id, threshold, value)}
          />
        ))}
      {isOn && rule.thresholds.length === 0 && <p class="message">This rule has no thresholds.</p>}
    </details>
  );
}

function stateWords(isOn: boolean, isChanged: boolean, findings: number): string {
  if (!isOn) return "not checked";
  const count = findings > 0 ? plural(findings, "finding") : "";
  return [isChanged ? "changed" : "", count].filter((word) => word !== "").join(", ");
}

interface RowProps {
  readonly threshold: Threshold;
  readonly value: number;
  onChange(value: number): void;
}

function ThresholdRow({ threshold, value, onChange }: RowProps) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const text = thresholdText(threshold, value);
  const change = (typed: string) => {
    const chosen = fromField(threshold, typed);
    if (chosen !== null) onChange(chosen);
    else if (field.current !== null) field.current.value = toField(threshold, value);
  };
  return (
    <div class="threshold">
      <label for={id}>{threshold.title}</label>
      <span class="threshold-field">
        <input
          ref={field}
          type="number"
          step="any"
          min={toField(threshold, threshold.low)}
          max={toField(threshold, threshold.high)}
          aria-label={`${threshold.title}, exact value`}
          value={toField(threshold, value)}
          onChange={(event) => change(event.currentTarget.value)}
        />
        <span>{unitWord(threshold)}</span>
      </span>
      <input
        id={id}
        type="range"
        min={0}
        max={lastPosition(threshold)}
        step={1}
        value={positionOf(threshold, value)}
        aria-valuetext={text}
        onInput={(event) => onChange(allowed(threshold, valueAt(threshold, event.currentTarget.valueAsNumber)))}
      />
      <span class="threshold-note">
        {value === threshold.value ? (
          "as in the run"
        ) : (
          <button type="button" class="link" onClick={() => onChange(threshold.value)}>
            Reset to {thresholdText(threshold, threshold.value)}
          </button>
        )}
      </span>
    </div>
  );
}
