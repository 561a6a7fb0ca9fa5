/**
 * The server's JSON answers; `docs/http_api.md` is the contract. `tests/server_answers.ts`, which the Python tests keep
 * equal to real answers, is checked against these types.
 */

export type Severity = "note" | "warning" | "problem";

export type Outcome = "ok" | Severity | "not_applicable" | "insufficient_data" | "error";

/** State of a layer at a step: an outcome, muted findings only, or a finding that was confirmed later. */
export type HealthCode = Outcome | "muted" | Early;

export type Early = `early_${Severity}`;

export type ScaleKind = "linear" | "log" | "symlog";

export type FindingUnit = "share" | "count" | "";

export type LifeState = "born_dead" | "died" | "alive" | "revived" | "unknown";

/** Machine id of an error. */
export type ErrorKind =
  | "bad_parameter"
  | "forbidden"
  | "read_only"
  | "unknown_run"
  | "unknown_layer"
  | "unknown_finding"
  | "untracked_units"
  | "unknown_picture"
  | "bad_method"
  | "newer_schema"
  | "superseded"
  | "too_large"
  | "too_slow"
  | "damaged_run";

export interface ErrorAnswer {
  readonly error: string;
  readonly kind: ErrorKind;
}

export interface Run {
  readonly name: string;
  readonly readable: boolean;
  /** Why it cannot be read; null for a readable run. */
  readonly kind: ErrorKind | null;
  readonly reason: string;
  readonly records: number;
  readonly layers: number;
  readonly first_step: number;
  readonly last_step: number;
  readonly start_time: number;
  readonly last_time: number;
  /** Whether the training is known to have ended. */
  readonly has_ended: boolean;
  readonly severity: Severity | null;
  /** The verdict; "" for a run that cannot be read. */
  readonly sentence: string;
  /** The layer that the verdict names; "" without one. */
  readonly layer: string;
  /** What is wrong there in a few words, and since when; "" and null without findings. */
  readonly headline: string;
  readonly since_step: number | null;
  readonly layers_affected: number;
  /** One character per part of the steps: the code of the worst state, or "-" without records. */
  readonly health: string;
  /** Of `metrics`, from 0; null if they are those of the last record. */
  readonly epoch: number | null;
  /** Null where not finite. */
  readonly metrics: Readonly<Record<string, number | null>>;
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
  /** Whether its output multiplies that of another layer, as in squeeze-and-excite blocks. */
  readonly is_gate: boolean;
  /** Whether a functional or sequential model returns its output. */
  readonly is_output: boolean;
  readonly not_observed: string;
  /** The layer that it is a part of, such as the recurrent layer of a cell; "" for a layer. */
  readonly part_of: string;
  /** Names of the layers whose outputs feed it; empty if unknown. */
  readonly inputs: readonly string[];
  readonly severity: Severity | null;
  readonly outcomes: readonly Outcome[];
  /** Places in `outcomes` of the rules whose finding is muted. */
  readonly muted: readonly number[];
}

export interface Weight {
  readonly name: string;
  readonly layer: string;
  readonly shape: readonly number[];
  readonly has_gradient: boolean;
}

export type ThresholdUnit = "share" | "times" | "steps" | "samples" | "";

export interface Threshold {
  readonly id: string;
  readonly title: string;
  readonly unit: ThresholdUnit;
  readonly default: number;
  /** What the rule allows. */
  readonly low: number;
  readonly high: number;
  /** The slider. */
  readonly scale: "linear" | "log";
  readonly start: number;
  readonly end: number;
  /** 0 on a logarithmic slider. */
  readonly step: number;
  readonly is_whole: boolean;
  /** Of the run. */
  readonly value: number;
}

export interface Rule {
  readonly id: string;
  readonly title: string;
  /** Why a finding of the rule matters; empty for an unknown rule. */
  readonly why: string;
  /** Of a rule for the training as a whole; null for one that judges layers. */
  readonly outcome: Outcome | null;
  /** Empty for an unknown rule. */
  readonly thresholds: readonly Threshold[];
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
  readonly one_time_seconds: number | null;
}

/** How many entries an answer lacks because it would be too large, by the name of the list. */
export type LeftOut = Readonly<Record<string, number>>;

export interface RunList {
  readonly runs: readonly Run[];
  readonly left_out: LeftOut;
}

export interface RunDescription {
  readonly run: string;
  readonly model: string;
  readonly schema_version: number;
  readonly layers: readonly Layer[];
  readonly weights: readonly Weight[];
  readonly rules: readonly Rule[];
  readonly statistics: readonly Statistic[];
  readonly step_statistics: readonly Statistic[];
  readonly thresholds: Readonly<Record<string, Readonly<Record<string, number | string | null>>>>;
  readonly cadence: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly cost: Cost | null;
  readonly records: number;
  readonly left_out: LeftOut;
}

export interface Finding {
  readonly id: string;
  readonly rule: string;
  readonly layer: string;
  readonly severity: Severity;
  /** Machine id of what the rule saw; `quantity` is its title. */
  readonly sign: string;
  readonly quantity: string;
  /** Of `value` and `threshold`; "" for plain numbers. */
  readonly unit: FindingUnit;
  /** Null for NaN and infinity. */
  readonly value: number | null;
  readonly threshold: number | null;
  /** What the value must reach for the finding to close; null where that is the threshold. */
  readonly closing_threshold: number | null;
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
  /** Where a non-finite value came from; "" where unknown. */
  readonly origin: string;
  /** The sample that it comes from: its row in the batch, null if it comes from no single one; its id, "" if unknown. */
  readonly sample_row: number | null;
  readonly sample_id: string;
  /** The step at which it reappeared after it was resolved; null if it never did. */
  readonly reopened_step: number | null;
  /** The last part of `message`, about what happened later. */
  readonly follow_up: string;
  /** Null for a finding that counts. */
  readonly mute: MuteNote | null;
}

export type MuteStorage = "run" | "browser";

export interface MuteNote {
  readonly note: string;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly stored: MuteStorage;
}

export interface Verdict {
  readonly severity: Severity | null;
  readonly sentence: string;
  /** "" without findings. */
  readonly layer: string;
  readonly layers_affected: number;
  readonly layers_total: number;
  readonly rules_checked: number;
  readonly rules_not_applicable: number;
  /** Open findings that do not count. */
  readonly muted: number;
}

export interface Findings {
  readonly run: string;
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly mutes: Mutes;
  readonly left_out: LeftOut;
}

/** Where new mutes of a run are kept. */
export interface Mutes {
  readonly stored: MuteStorage;
  /** Why in the browser; empty if next to the run. */
  readonly why: string;
  /** Why the mutes next to the run cannot be read; empty if they can. */
  readonly problem: string;
}

/** What other thresholds find in a stored run. */
export interface Judgement {
  readonly run: string;
  readonly verdict: Verdict;
  readonly changes: readonly Change[];
  /** Stored records that were judged again. */
  readonly records: number;
  readonly left_out: LeftOut;
}

export interface Change {
  readonly rule: string;
  readonly layer: string;
  readonly headline: string;
  /** Null if it appears. */
  readonly before: Severity | null;
  /** Null if it disappears. */
  readonly after: Severity | null;
}

export interface UnitLife {
  readonly unit: number;
  readonly state: LifeState;
  readonly since_step: number | null;
  readonly revivals: number;
  /** Samples of the current silence. */
  readonly samples: number;
  /** Upper bound of the unit's activity at 95% confidence; null for active units. */
  readonly activity_below: number | null;
}

/** One series of pictures of a run. */
export interface Picture {
  readonly tag: string;
  readonly kind: string;
  /** The layer or other subject of the pictures. */
  readonly subject: string;
  readonly description: string;
  readonly steps: readonly number[];
  readonly wall_times: readonly number[];
  /** Width and height in pixels of the last one. */
  readonly size: readonly [number, number];
}

export interface PictureList {
  readonly run: string;
  readonly pictures: readonly Picture[];
  readonly left_out: LeftOut;
}

/** What a picture says about its values. */
export interface PictureDetails {
  readonly low: number | null;
  readonly high: number | null;
  readonly scale: "common" | "each" | "logarithmic";
  readonly about: string;
}

export interface PictureDetailsAnswer {
  /** Null for pictures of other writers. */
  readonly details: PictureDetails | null;
}
