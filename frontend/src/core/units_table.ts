import { lifeWord } from "./lives";
import type { NumberTable } from "./table";
import type { UnitLife } from "./types";
import type { UnitWords } from "./unit_words";

/** Every unit with its state and since when. `activityAt` gives the share of samples on which a unit is active. */
export function unitsTable(
  lives: readonly UnitLife[],
  order: readonly number[],
  activityAt: (index: number) => number,
  { one, statistic }: UnitWords,
): NumberTable {
  return {
    rowTitle: one.charAt(0).toUpperCase() + one.slice(1),
    columns: [
      { title: "State", unit: "" },
      { title: "Since step", unit: "count" },
      { title: "Revived, times", unit: "count" },
      { title: "Silent samples", unit: "count" },
      { title: "Active on less than (95% confidence)", unit: "share" },
      { title: `${statistic.title} at the step`, unit: "share" },
    ],
    rows: order.flatMap((index) => {
      const life = lives[index];
      if (life === undefined) return [];
      const since = life.since_step === null || life.since_step < 0 ? Number.NaN : life.since_step;
      const silent = life.activity_below === null ? Number.NaN : life.samples;
      return [
        {
          name: String(life.unit),
          values: [
            lifeWord(life.state),
            since,
            life.revivals,
            silent,
            life.activity_below ?? Number.NaN,
            activityAt(index),
          ],
        },
      ];
    }),
  };
}
