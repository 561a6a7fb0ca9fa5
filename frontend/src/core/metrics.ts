/** Which direction of a metric is better, by the words in its name; null if unknown. */
export function betterDirection(name: string): "lower" | "higher" | null {
  if (/loss|error|mse|mae|rmse|perplexity|(^|_)kl/i.test(name)) return "lower";
  if (/acc|auc|precision|recall|f1|iou|dice|bleu|r2/i.test(name)) return "higher";
  return null;
}

type Metrics = Readonly<Record<string, number | null>>;

const MOST_COLUMNS = 4;

/** The metrics to show of several runs: the loss, then those of the validation; without these the others. */
export function shownMetrics(runs: readonly { readonly metrics: Metrics }[]): string[] {
  const names = [...new Set(runs.flatMap(({ metrics }) => Object.keys(metrics)))];
  const validation = names.filter((name) => name.startsWith("val_")).sort((a, b) => rank(a) - rank(b));
  const rest = (validation.length > 0 ? validation : names).filter((name) => name !== "loss");
  return (names.includes("loss") ? ["loss", ...rest] : rest).slice(0, MOST_COLUMNS);
}

/** Losses before other metrics. */
function rank(name: string): number {
  return name.endsWith("loss") ? 0 : 1;
}

/** Names of the runs with the best value of a metric; none if the runs do not differ or better is unknown. */
export function bestRuns(
  runs: readonly { readonly name: string; readonly metrics: Metrics }[],
  metric: string,
): ReadonlySet<string> {
  const direction = betterDirection(metric);
  const measured = runs.flatMap(({ name, metrics }) => {
    const value = metrics[metric];
    return typeof value === "number" ? [{ name, value }] : [];
  });
  const values = measured.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (direction === null || values.length < 2 || low === high) return new Set();
  const best = direction === "lower" ? low : high;
  return new Set(measured.filter(({ value }) => value === best).map(({ name }) => name));
}

interface Measured {
  readonly name: string;
  readonly metrics: Metrics;
}

/**
 * Which run is best, as far as the metrics agree: "b is best: val_loss 0.3 against 0.5." Empty if better is unknown.
 *
 * @param format of a value.
 */
export function bestSentence(runs: readonly Measured[], format: (value: number) => string): string {
  const judged = shownMetrics(runs).flatMap((metric) => {
    const [best, ...more] = bestRuns(runs, metric);
    return best === undefined || more.length > 0
      ? []
      : [{ metric, best, words: valueWords(runs, metric, best, format) }];
  });
  const [first] = judged;
  if (first === undefined) return "";
  if (judged.every(({ best }) => best === first.best)) {
    return `${first.best} is ${runs.length === 2 ? "better" : "best"}: ${judged.map(({ words }) => words).join(", ")}.`;
  }
  return judged.map(({ best, words }) => `${best} has the best ${words}.`).join(" ");
}

/** The value of the best run, and that of the other if there is one only. */
function valueWords(
  runs: readonly Measured[],
  metric: string,
  best: string,
  format: (value: number) => string,
): string {
  const value = (run: Measured | undefined) => run?.metrics[metric] ?? Number.NaN;
  const [other, ...more] = runs.filter(({ name }) => name !== best);
  const against = more.length > 0 ? "" : ` vs. ${format(value(other))}`;
  return `${metric} ${format(value(runs.find(({ name }) => name === best)))}${against}`;
}
