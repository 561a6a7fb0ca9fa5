import { useEffect, useRef } from "preact/hooks";
import { isChanged, knownRules } from "../../core/draft";
import { isCounting } from "../../core/ranking";
import type { Finding, RunDescription } from "../../core/types";
import type { Store } from "../../state/store";
import { Fence } from "../parts/panel";
import { type OutcomeStore, TrialOutcome } from "./outcome";
import { RuleThresholds, type RuleThresholdsStore } from "./rule_thresholds";
import { SaveRules } from "./save_rules";

type DrawerStore = OutcomeStore &
  RuleThresholdsStore &
  Pick<Store, "closeDrawer" | "description" | "drawerRule" | "isDrawerOpen">;

/** Tries other thresholds on the stored run, next to the page. */
export function ThresholdDrawer({ store }: { readonly store: DrawerStore }) {
  const description = store.description.value.value;
  if (!store.isDrawerOpen.value || description === null) return null;
  return <OpenDrawer store={store} description={description} />;
}

interface OpenDrawerProps {
  readonly store: DrawerStore;
  readonly description: RunDescription;
}

function OpenDrawer({ store, description }: OpenDrawerProps) {
  const title = useRef<HTMLHeadingElement>(null);
  const findings = store.findings.value.value?.findings ?? [];
  const rules = knownRules(description);
  const first = firstRule(store.drawerRule.value, findings);
  useEffect(() => {
    const opener = document.activeElement;
    title.current?.focus();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <aside
      class="drawer"
      aria-labelledby="drawer-title"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        store.closeDrawer();
      }}
    >
      <Fence subject={description.run}>
        <header class="drawer-head">
          <h2 id="drawer-title" ref={title} tabIndex={-1}>
            Thresholds
          </h2>
          <button type="button" disabled={!isChanged(store.draft.value)} onClick={store.resetThresholds}>
            Reset all
          </button>
          <button type="button" onClick={store.closeDrawer}>
            Close
          </button>
        </header>
        <TrialOutcome store={store} rules={rules} />
        <div class="drawer-rules">
          {rules.map((rule) => (
            <RuleThresholds key={rule.id} store={store} rule={rule} isWanted={rule.id === first} />
          ))}
        </div>
        <SaveRules rules={rules} draft={store.draft.value} />
      </Fence>
    </aside>
  );
}

/** The rule that the drawer was opened for, else that of the first finding. */
function firstRule(wanted: string | null, findings: readonly Finding[]): string | null {
  return wanted ?? findings.find(isCounting)?.rule ?? null;
}
