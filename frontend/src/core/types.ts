/** What the server's JSON answers hold; `docs/http_api.md` is the contract. */

export type Severity = "note" | "warning" | "problem";

export type Outcome = "ok" | Severity | "not_applicable" | "insufficient_data" | "error";

export type ScaleKind = "linear" | "log" | "symlog";

export type LifeState = "born_dead" | "died" | "alive" | "revived" | "unknown";

export interface Run {
  readonly name: string;
  readonly readable: boolean;
  readonly reason: string;
  readonly records: number;
  readonly layers: number;
  readonly first_step: number;
  readonly last_step: number;
  readonly start_time: number;
  readonly last_time: number;
  readonly severity: Severity | null;
}

export interface Layer {
  readonly name: string;
  readonly class_name: string;
  readonly call_site: number;
  readonly output_shape: readonly (number | null)[];
  readonly dtype: string;
  readonly units: number;
  readonly activation: string | null;
  readonly parameters: number;
  readonly trainable: boolean;
  readonly not_observed: string;
  /** Names of the layers whose outputs it takes; empty when that is not known. */
  readonly inputs: readonly string[];
  readonly severity: Severity | null;
  readonly outcomes: readonly Outcome[];
}

export interface Rule {
  readonly id: string;
  readonly title: string;
  /** Why a finding of it matters; empty for a rule that is not known. */
  readonly why: string;
}

export interface Statistic {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly unit: string;
  readonly scale: ScaleKind;
}

export interface Cost {
  readonly overhead: number | null;
  readonly observation_seconds: number | null;
  readonly interval: number | null;
}

/** How many entries an answer lacks because it would be too large, by the name of the list that lacks them. */
export type LeftOut = Readonly<Record<string, number>>;

export interface RunList {
  readonly runs: readonly Run[];
  readonly left_out?: LeftOut;
}

export interface RunDescription {
  readonly run: string;
  readonly model: string;
  readonly schema_version: number;
  readonly layers: readonly Layer[];
  readonly rules: readonly Rule[];
  readonly statistics: readonly Statistic[];
  readonly step_statistics: readonly Statistic[];
  readonly thresholds: Readonly<Record<string, Readonly<Record<string, number | string | null>>>>;
  readonly cadence: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly cost: Cost | null;
  readonly left_out?: LeftOut;
}

export interface Finding {
  readonly id: string;
  readonly rule: string;
  readonly layer: string;
  readonly severity: Severity;
  readonly quantity: string;
  readonly value: number | string | null;
  readonly threshold: number | string | null;
  readonly samples: number;
  readonly checks: number;
  readonly since_step: number;
  readonly opened_step: number;
  readonly last_step: number;
  readonly closed_step: number | null;
  readonly units: readonly number[];
  readonly unit_count: number;
  readonly message: string;
  readonly might_be_wrong: string;
  readonly advice: string;
  readonly source: string;
  readonly root: string | null;
}

export interface Verdict {
  readonly severity: Severity | null;
  readonly sentence: string;
  readonly layer: string | null;
  readonly layers_affected: number;
  readonly layers_total: number;
  readonly rules_checked: number;
  readonly rules_not_applicable: number;
}

export interface Findings {
  readonly run: string;
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly left_out?: LeftOut;
}

export interface UnitLife {
  readonly unit: number;
  readonly state: LifeState;
  readonly since_step: number | null;
  readonly revivals: number;
  /** Samples of the present silence. */
  readonly samples: number;
  /** The unit answers less than this share of samples, at 95 % confidence; null for active units. */
  readonly activity_below: number | null;
}

/** One series of pictures of a run. */
export interface Picture {
  readonly tag: string;
  readonly kind: string;
  /** Layer or other subject of the picture. */
  readonly subject: string;
  readonly description: string;
  readonly steps: readonly number[];
  /** Width and height in pixels of the last one. */
  readonly size: readonly [number, number];
}

export interface PictureList {
  readonly pictures: readonly Picture[];
  readonly left_out?: LeftOut;
}

/** What a picture says of its values. */
export interface PictureDetails {
  readonly low: number | null;
  readonly high: number | null;
  readonly scale: "common" | "each" | "logarithmic";
  readonly about: string;
}
