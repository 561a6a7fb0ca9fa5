import { plural } from "./format";
import type { LeftOut } from "./types";

type Words = readonly [one: string, many: string];

const WORDS: Readonly<Record<string, Words>> = {
  pictures: ["series of pictures", "series of pictures"],
  cadence: ["sampling setting", "sampling settings"],
};

function wordsFor(name: string): Words {
  return WORDS[name] ?? [name.replace(/s$/, ""), name];
}

/** "90,000 layers, 3 findings"; empty if every answer is complete. */
export function leftOutWords(answers: readonly LeftOut[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) {
    for (const [name, count] of Object.entries(answer)) counts.set(name, Math.max(count, counts.get(name) ?? 0));
  }
  return [...counts].map(([name, count]) => plural(count, ...wordsFor(name))).join(", ");
}
