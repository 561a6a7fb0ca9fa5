import type { Layer, Statistic } from "./types";

/** What the units of a layer are called, and what is known of each of them at a step. */
export interface UnitWords {
  /** A single one. */
  readonly one: string;
  /** All of them, as a heading. */
  readonly title: string;
  readonly statistic: Statistic;
  /** The value at a step, given as text. */
  told(value: string): string;
}

const UNITS: UnitWords = {
  one: "unit",
  title: "Units",
  statistic: {
    id: "activity",
    title: "Activity",
    about: "Share of samples with a nonzero output of the unit. Point at a unit to see its history.",
    unit: "share",
    scale: "log",
  },
  told: (value) => `active on ${value} of samples`,
};

const HEADS: UnitWords = {
  one: "head",
  title: "Heads",
  statistic: {
    id: "activity",
    title: "Attention entropy",
    about:
      "Entropy of the head's attention, as a share of the largest possible one. Point at a head to see its history.",
    unit: "share",
    scale: "log",
  },
  told: (value) => `entropy ${value} of the largest possible one`,
};

export function unitWords({ class_name }: Pick<Layer, "class_name">): UnitWords {
  return class_name === "AttentionHeads" ? HEADS : UNITS;
}
