import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { fetchJudgement } from "../api";
import { queryOf } from "../core/browser_mutes";
import { type Draft, isChanged, knownRules, NO_DRAFT, rulesFile, withRule, withValue } from "../core/draft";
import { kindOf } from "../core/failures";
import type { Judgement, Threshold } from "../core/types";
import type { Answers } from "./answers";
import type { Muting } from "./muting";
import { lasting, paced } from "./pace";
import { type Loaded, resource, stable } from "./resource";

/** Milliseconds after which the page says that it waits. */
const SLOW = 300;
/** Requests can overtake each other on their way, and then the latest one is replaced by an older one. */
const REPEATS = 3;

/** The thresholds that the user tries on the shown run. */
export interface Thresholds {
  readonly isDrawerOpen: ReadonlySignal<boolean>;
  /** The rule to begin with; null leaves it to the drawer. */
  readonly drawerRule: ReadonlySignal<string | null>;
  readonly draft: ReadonlySignal<Draft>;
  /** What they find; nothing while they are those of the run. */
  readonly judgement: ReadonlySignal<Loaded<Judgement>>;
  /** Whether the answer takes so long that the page should show it. */
  readonly isJudgingSlow: ReadonlySignal<boolean>;

  openDrawer(rule: string | null): void;
  closeDrawer(): void;
  tryThreshold(rule: string, threshold: Threshold, value: number): void;
  tryRule(rule: string, isOn: boolean): void;
  resetThresholds(): void;
  judgeAgain(): void;
}

interface Trial {
  readonly run: string;
  readonly rules: string;
  readonly muted: string;
}

async function judge({ run, rules, muted }: Trial, abort: AbortSignal): Promise<Judgement> {
  for (let left = REPEATS; ; left -= 1) {
    try {
      return await fetchJudgement(run, rules, muted, abort);
    } catch (error) {
      if (left === 0 || !(error instanceof Error) || kindOf(error) !== "superseded") throw error;
    }
  }
}

export function createThresholds(answers: Pick<Answers, "run" | "description">, muting: Muting): Thresholds {
  const isDrawerOpen = signal(false);
  const drawerRule = signal<string | null>(null);
  const draft = signal<Draft>(NO_DRAFT);
  const tries = signal(0);
  const name = computed(() => answers.run.value?.name ?? null);
  effect(() => {
    void name.value;
    draft.value = NO_DRAFT;
  });

  const key = stable<Trial | null>(
    computed(() => {
      const run = answers.run.value;
      const { value } = answers.description.value;
      if (!isDrawerOpen.value || !isChanged(draft.value) || run === null || value === null) return null;
      const rules = rulesFile(knownRules(value), draft.value);
      if (Object.keys(rules).length === 0) return null;
      return { run: run.name, rules: JSON.stringify(rules), muted: queryOf(muting.browserMutesOf(run)) };
    }),
  );
  const records = computed(() => `${answers.run.value?.records} ${tries.value}`);
  const { sent, follow } = paced(key);
  const judgement = resource(sent, records, judge, ({ run }) => run);
  const isLoading = computed(() => judgement.value.isLoading);
  follow(isLoading);

  return {
    isDrawerOpen,
    drawerRule,
    draft,
    judgement,
    isJudgingSlow: lasting(isLoading, SLOW),
    openDrawer: (rule) => {
      drawerRule.value = rule;
      isDrawerOpen.value = true;
    },
    closeDrawer: () => {
      isDrawerOpen.value = false;
    },
    tryThreshold: (rule, threshold, value) => {
      draft.value = withValue(draft.peek(), rule, threshold, value);
    },
    tryRule: (rule, isOn) => {
      draft.value = withRule(draft.peek(), rule, isOn);
    },
    resetThresholds: () => {
      draft.value = NO_DRAFT;
    },
    judgeAgain: () => {
      tries.value += 1;
    },
  };
}
