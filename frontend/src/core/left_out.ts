import { plural } from "./format";
import type { LeftOut } from "./types";

const ONE: Readonly<Record<string, string>> = { pictures: "series of pictures", cadence: "settings of the cadence" };

/** "90,000 layers, 3 findings"; empty when every answer is whole. */
export function leftOutWords(answers: readonly LeftOut[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) {
    for (const [name, count] of Object.entries(answer)) counts.set(name, Math.max(count, counts.get(name) ?? 0));
  }
  return [...counts]
    .map(([name, count]) => plural(count, ONE[name] ?? name.replace(/s$/, ""), ONE[name] ?? name))
    .join(", ");
}
