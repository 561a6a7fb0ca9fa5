import type { Finding, Layer, Rule, Run, Threshold } from "../src/core/types";

export const RULES: readonly Rule[] = [
  { id: "dead_units", title: "Dead units", why: "", outcome: null, thresholds: [] },
  { id: "vanishing_gradient", title: "Vanishing gradient", why: "", outcome: null, thresholds: [] },
  { id: "nonfinite", title: "NaN or infinity", why: "", outcome: null, thresholds: [] },
];

export function run(changes: Partial<Run> = {}): Run {
  return {
    name: "run",
    readable: true,
    kind: null,
    reason: "",
    records: 2,
    layers: 4,
    first_step: 0,
    last_step: 10,
    start_time: 0,
    last_time: 1,
    has_ended: false,
    severity: null,
    sentence: "",
    layer: "",
    headline: "",
    since_step: null,
    layers_affected: 0,
    health: "00",
    epoch: null,
    metrics: {},
    ...changes,
  };
}

export function layer(changes: Partial<Layer> = {}): Layer {
  return {
    name: "dense",
    class_name: "Dense",
    call_site: 0,
    output_shape: [null, 16],
    dtype: "float32",
    units: 16,
    activation: "relu",
    parameters: 272,
    trainable: true,
    is_gate: false,
    is_output: false,
    part_of: "",
    not_observed: "",
    inputs: [],
    severity: null,
    outcomes: ["ok", "ok", "ok"],
    muted: [],
    ...changes,
  };
}

export function finding(changes: Partial<Finding> = {}): Finding {
  return {
    id: "dead_units:dense:60",
    rule: "dead_units",
    layer: "dense",
    severity: "problem",
    sign: "dead_share",
    quantity: "share of units dead",
    unit: "share",
    value: 0.781,
    threshold: 0.5,
    closing_threshold: null,
    samples: 1920,
    checks: 12,
    since_step: 1400,
    opened_step: 1460,
    last_step: 2000,
    closed_step: null,
    units: [0, 1],
    unit_count: 2,
    message: "",
    might_be_wrong: "",
    advice: "",
    source: "",
    root: null,
    origin: "",
    reopened_step: null,
    follow_up: "",
    sample_row: null,
    sample_id: "",
    mute: null,
    ...changes,
  };
}

export function threshold(changes: Partial<Threshold> = {}): Threshold {
  return {
    id: "warning_share",
    title: "Warning from",
    unit: "share",
    default: 0.5,
    low: 0,
    high: 1,
    scale: "linear",
    start: 0,
    end: 1,
    step: 0.01,
    is_whole: false,
    value: 0.5,
    ...changes,
  };
}
