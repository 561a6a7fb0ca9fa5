// Written by `python -m tests.http.server_answers` from real answers of the server. Do not edit.
import type {
  HistogramKind,
  HistogramsHeader,
  MatrixHeader,
  SequencesHeader,
  SeriesHeader,
  UnitsHeader,
} from "../src/core/frame";
import type {
  ErrorAnswer,
  ErrorKind,
  Findings,
  FindingUnit,
  HealthCode,
  Judgement,
  LifeState,
  Outcome,
  PictureDetailsAnswer,
  PictureList,
  RunDescription,
  RunList,
  ScaleKind,
  Severity,
} from "../src/core/types";

/** Fails to compile unless both types have the same members. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;

export const runList: RunList = {"runs": [{"name": "sick", "readable": true, "kind": null, "reason": "", "records": 12, "layers": 5, "first_step": 0, "last_step": 110, "start_time": 1795219200.0, "last_time": 1795219206.0, "has_ended": false, "severity": "problem", "sentence": "…", "layer": "dense_2", "headline": "…", "since_step": 30, "layers_affected": 3, "health": "0----0----0-----33333333333333333333333333333333333333333333", "epoch": 2, "metrics": {"loss": 1.6339360475540161, "accuracy": 0.3796599393248906, "val_loss": 1.9607232570648192, "val_accuracy": 0.337755309488592}}], "left_out": {}};

export const runDescription: RunDescription = {"run": "sick", "model": "synthetic", "schema_version": 3, "layers": [{"name": "head_4", "class_name": "Dense", "call_site": 0, "output_shape": [null, 2], "dtype": "float32", "units": 2, "activation": "softmax", "parameters": 6, "trainable": true, "inputs": [], "is_gate": false, "is_output": false, "part_of": "", "not_observed": "", "severity": null, "outcomes": ["not_applicable", "not_applicable", "ok"], "muted": []}], "weights": [{"name": "head_4/kernel", "layer": "head_4", "shape": [2, 2], "has_gradient": true}], "rules": [{"id": "nonfinite", "title": "…", "why": "…", "outcome": null, "thresholds": [{"id": "skipped_steps", "title": "…", "unit": "steps", "default": 10.0, "low": 1, "high": 1000000.0, "scale": "linear", "start": 1, "end": 40.0, "step": 1, "is_whole": true, "value": 10.0}]}], "statistics": [{"id": "elasticity", "title": "…", "about": "…", "unit": "", "scale": "log"}], "step_statistics": [{"id": "target_sum_max", "title": "…", "about": "…", "unit": "", "scale": "linear"}], "thresholds": {"dead_units": {"share": 0.5}, "vanishing_gradient": {"share": 0.5}, "nonfinite": {"share": 0.5}}, "cadence": {"update_freq": 10}, "versions": {"tb_activations": "0.0.0"}, "cost": {"overhead": 0.013000000268220901, "observation_seconds": 0.03999999910593033, "interval": 10.0, "one_time_seconds": 3.5}, "records": 12, "left_out": {}};

export const findings: Findings = {"run": "sick", "verdict": {"severity": "warning", "sentence": "…", "layer": "dense_0", "layers_affected": 2, "layers_total": 5, "rules_checked": 3, "rules_not_applicable": 0, "muted": 1}, "findings": [{"id": "vanishing_gradient:dense_1:30", "quantity": "…", "rule": "vanishing_gradient", "layer": "dense_1", "severity": "warning", "sign": "elasticity", "unit": "", "value": 0.0, "threshold": 0.0001, "samples": 288, "checks": 9, "since_step": 30, "opened_step": 30, "last_step": 110, "message": "…", "might_be_wrong": "…", "advice": "…", "source": "synthetic", "units": [], "unit_count": 0, "closed_step": null, "closing_threshold": null, "root": "dead_units:dense_2:30", "origin": "", "reopened_step": null, "follow_up": "", "sample_row": null, "sample_id": "", "mute": null}], "mutes": {"stored": "browser", "why": "…", "problem": ""}, "left_out": {}};

export const judgement: Judgement = {"run": "sick", "verdict": {"severity": null, "sentence": "…", "layer": "", "layers_affected": 0, "layers_total": 4, "rules_checked": 1, "rules_not_applicable": 0, "muted": 0}, "changes": [{"rule": "vanishing_gradient", "layer": "dense_0", "headline": "…", "before": "warning", "after": null}], "records": 12, "left_out": {}};

export const pictureList: PictureList = {"run": "sick", "pictures": [{"tag": "feature_maps/dense_0", "kind": "feature_maps", "subject": "dense_0", "description": "…", "steps": [0, 100], "wall_times": [1795219200.5, 1795219205.5], "size": [195, 121]}], "left_out": {}};

export const pictureDetailsAnswer: PictureDetailsAnswer = {"details": {"low": -1.0, "high": 1.0, "scale": "common", "about": "…"}};

export const errorAnswer: ErrorAnswer = {"error": "…", "kind": "newer_schema"};

export const matrixHeader: MatrixHeader = {"run": "sick", "stat": "mean", "layers": ["dense_0", "dense_1", "dense_2", "batch_normalization_3", "head_4"], "steps": [0, 110], "recorded_steps": 12, "wall_times": [1795219200.5, 1795219206.0], "low": 0.36477911472320557, "high": 0.437821626663208, "left_out": {}, "shape": [5, 2]};

export const matrixHeaderFrame = "HAEAAHsicnVuIjogInNpY2siLCAic3RhdCI6ICJtZWFuIiwgImxheWVycyI6IFsiZGVuc2VfMCIsICJkZW5zZV8xIiwgImRlbnNlXzIiLCAiYmF0Y2hfbm9ybWFsaXphdGlvbl8zIiwgImhlYWRfNCJdLCAic3RlcHMiOiBbMCwgMTEwXSwgInJlY29yZGVkX3N0ZXBzIjogMTIsICJ3YWxsX3RpbWVzIjogWzE3OTUyMTkyMDAuNSwgMTc5NTIxOTIwNi4wXSwgImxvdyI6IDAuMzY0Nzc5MTE0NzIzMjA1NTcsICJoaWdoIjogMC40Mzc4MjE2MjY2NjMyMDgsICJsZWZ0X291dCI6IHt9LCAic2hhcGUiOiBbNSwgMl19KCrgPjn23j4FvM4+f8HGPhwgvj4l1No+VMS6PtBivT4Yo8M+rxTWPg==";

export const seriesHeader: SeriesHeader = {"run": "sick", "layer": "dense_2", "stats": ["mean", "silent_fraction"], "lines": {"mean": [], "silent_fraction": [{"value": 0.5, "words": "Dead units: warning from"}, {"value": 0.7, "words": "Dead units: problem from"}]}, "steps": [0, 110], "recorded_steps": 12, "wall_times": [1795219200.5, 1795219206.0], "shape": [2, 2]};

export const seriesHeaderFrame = "SAEAAHsicnVuIjogInNpY2siLCAibGF5ZXIiOiAiZGVuc2VfMiIsICJzdGF0cyI6IFsibWVhbiIsICJzaWxlbnRfZnJhY3Rpb24iXSwgImxpbmVzIjogeyJtZWFuIjogW10sICJzaWxlbnRfZnJhY3Rpb24iOiBbeyJ2YWx1ZSI6IDAuNSwgIndvcmRzIjogIkRlYWQgdW5pdHM6IHdhcm5pbmcgZnJvbSJ9LCB7InZhbHVlIjogMC43LCAid29yZHMiOiAiRGVhZCB1bml0czogcHJvYmxlbSBmcm9tIn1dfSwgInN0ZXBzIjogWzAsIDExMF0sICJyZWNvcmRlZF9zdGVwcyI6IDEyLCAid2FsbF90aW1lcyI6IFsxNzk1MjE5MjAwLjUsIDE3OTUyMTkyMDYuMF0sICJzaGFwZSI6IFsyLCAyXX0gICAcIL4+JdTaPgAAAAAAAIA/";

export const unitsHeader: UnitsHeader = {"run": "sick", "layer": "dense_2", "steps": [0, 110], "recorded_steps": 12, "lives": [{"unit": 0, "state": "died", "since_step": 20, "revivals": 0, "samples": 320, "activity_below": 0.009375}, {"unit": 1, "state": "died", "since_step": 30, "revivals": 0, "samples": 288, "activity_below": 0.010416666666666666}], "left_out": {}, "shape": [2, 2, 2]};

export const unitsHeaderFrame = "YAEAAHsicnVuIjogInNpY2siLCAibGF5ZXIiOiAiZGVuc2VfMiIsICJzdGVwcyI6IFswLCAxMTBdLCAicmVjb3JkZWRfc3RlcHMiOiAxMiwgImxpdmVzIjogW3sidW5pdCI6IDAsICJzdGF0ZSI6ICJkaWVkIiwgInNpbmNlX3N0ZXAiOiAyMCwgInJldml2YWxzIjogMCwgInNhbXBsZXMiOiAzMjAsICJhY3Rpdml0eV9iZWxvdyI6IDAuMDA5Mzc1fSwgeyJ1bml0IjogMSwgInN0YXRlIjogImRpZWQiLCAic2luY2Vfc3RlcCI6IDMwLCAicmV2aXZhbHMiOiAwLCAic2FtcGxlcyI6IDI4OCwgImFjdGl2aXR5X2JlbG93IjogMC4wMTA0MTY2NjY2NjY2NjY2NjZ9XSwgImxlZnRfb3V0Ijoge30sICJzaGFwZSI6IFsyLCAyLCAyXX0gICCQZCU/StVCPwAAAAAAAAAAGiH3P8PcGUAAAAAAAAAAAA==";

export const histogramsHeader: HistogramsHeader = {"run": "sick", "layer": "dense_2", "kind": "gradient", "steps": [0, 100], "recorded_steps": 2, "shape": [2, 32]};

export const histogramsHeaderFrame = "dAAAAHsicnVuIjogInNpY2siLCAibGF5ZXIiOiAiZGVuc2VfMiIsICJraW5kIjogImdyYWRpZW50IiwgInN0ZXBzIjogWzAsIDEwMF0sICJyZWNvcmRlZF9zdGVwcyI6IDIsICJzaGFwZSI6IFsyLCAzMl19ICAg1DbovDVqBT0AAABAAAAAAAAAAAAAAIBAAAAAQQAAAEEAAABBAABQQQAA2EEAANBBAABAQgAA4EEAADhCAABEQgAA+EEAAAhCAADYQQAACEIAAABCAADgQQAAUEEAAHBBAAAgQQAAQEEAAKBAAACAPwAAgD8AAIA/AAAAAAAAgD+iK+q8tp0OPQAAgD8AAIBAAAAAQAAAAEAAAABAAAAgQQAAmEEAAKhBAADQQQAA4EEAAABCAAAMQgAAPEIAABxCAAAIQgAAIEIAAFBCAAAoQgAAuEEAAFBBAAAQQQAAUEEAAOBAAACAPwAAoEAAAIA/AACAPwAAAEAAAAAAAACAPw==";

export const sequencesHeader: SequencesHeader = {"run": "sick", "layer": "dense_0", "steps": [0, 100], "recorded_steps": 2, "lengths": [80, 80], "readings": ["The gradient at the first 2 time steps is 0.01 times that at the last one; half of its squared norm comes from the last 6 of 80 steps.", "The gradient at the first 2 time steps is 1e-7 times that at the last one; half of its squared norm comes from the last 2 of 80 steps."], "shape": [2, 2, 64]};

export const sequencesHeaderFrame = "mAEAAHsicnVuIjogInNpY2siLCAibGF5ZXIiOiAiZGVuc2VfMCIsICJzdGVwcyI6IFswLCAxMDBdLCAicmVjb3JkZWRfc3RlcHMiOiAyLCAibGVuZ3RocyI6IFs4MCwgODBdLCAicmVhZGluZ3MiOiBbIlRoZSBncmFkaWVudCBhdCB0aGUgZmlyc3QgMiB0aW1lIHN0ZXBzIGlzIDAuMDEgdGltZXMgdGhhdCBhdCB0aGUgbGFzdCBvbmU7IGhhbGYgb2YgaXRzIHNxdWFyZWQgbm9ybSBjb21lcyBmcm9tIHRoZSBsYXN0IDYgb2YgODAgc3RlcHMuIiwgIlRoZSBncmFkaWVudCBhdCB0aGUgZmlyc3QgMiB0aW1lIHN0ZXBzIGlzIDFlLTcgdGltZXMgdGhhdCBhdCB0aGUgbGFzdCBvbmU7IGhhbGYgb2YgaXRzIHNxdWFyZWQgbm9ybSBjb21lcyBmcm9tIHRoZSBsYXN0IDIgb2YgODAgc3RlcHMuIl0sICJzaGFwZSI6IFsyLCAyLCA2NF19IM3MTD41TVM+nc1ZPgVOYD5tzmY+1U5tPj3Pcz6lT3o+B2iAPjuogz5v6IY+oyiKPtdojT4LqZA+P+mTPnMplz6naZo+26mdPg/qoD5DKqQ+d2qnPquqqj7f6q0+EyuxPkdrtD57q7c+r+u6PuMrvj4XbME+S6zEPn/sxz6zLMs+52zOPhut0T5P7dQ+gy3YPrdt2z7rrd4+H+7hPlMu5T6Hbug+u67rPu/u7j4jL/I+V2/1Pouv+D6/7/s+8y//PhQ4AT8u2AI/SHgEP2IYBj98uAc/llgJP7D4Cj/KmAw/5DgOP/7YDz8YeRE/MhkTP0y5FD9mWRY/gPkXP5qZGT/NzEw+NU1TPp3NWT4FTmA+bc5mPtVObT49z3M+pU96PgdogD47qIM+b+iGPqMoij7XaI0+C6mQPj/pkz5zKZc+p2maPtupnT4P6qA+QyqkPndqpz6rqqo+3+qtPhMrsT5Ha7Q+e6u3Pq/ruj7jK74+F2zBPkusxD5/7Mc+syzLPudszj4brdE+T+3UPoMt2D63bds+663ePh/u4T5TLuU+h27oPruu6z7v7u4+Iy/yPldv9T6Lr/g+v+/7PvMv/z4UOAE/LtgCP0h4BD9iGAY/fLgHP5ZYCT+w+Ao/ypgMP+Q4Dj/+2A8/GHkRPzIZEz9MuRQ/ZlkWP4D5Fz+amRk/F7fROICe4TiruvI4gZECOVx4DDlyHxc5V5UiObzpLjl+LTw5xnJKORrNWTl+UWo5jBZ8OUqahznh4pE5HfOcOSLaqDk6qLU56m7DOQ5B0jntMuI5WlrzOWfnAjrF1Aw63YIXOk0AIzrNXC86Sqk8OvX3SjpjXFo6pOtqOmO8fDqA84c620KSOl5anTo3Sak6ux+2Onzvwzpgy9I6vMfiOnL68zqFPQM7azENO4nmFzuIayM7K9AvO2clPTt7fUs7CuxaOzCGazunYn078EyIOxOjkjviwZ07lbipO4yXtjticMQ7DFbTO+1c4zvzmvQ725MDPE2ODTx3Shg8CtcjPF9wiTBdgrEwEkPlMDcNFDFNNz8xCvd2Mdl7nzEx+80xegQFMnfMKzL04l0y60mPMoUQuTIhBe8yZloaM89aRzP/vIAzmUWmM5W/1jPZrQo0ZhwzNKZUZzQ1Y5U0APHANIMx+TQ+7CA1/9ZPNb03hjVPWa01f+PfNeiUEDYCvDo2QC1xNvK+mzZOJ8k2X+YBN6zFJzejr1g3MO6LNyK6tDcCa+k3SLwWOK6uQjgicXs491+iOBe30TjGbQc5vOkuOaroYTnh4pE5Wmu8OVpa8zm1Jh069fdKOm8Sgzo3Sak6K6TaOmsxDTuaWzY7MIZrO3gYmDticMQ78rX9OwrXIzw=";

export const severityValues = ["note", "warning", "problem"] as const;

export const severityValuesAreDeclared: Same<(typeof severityValues)[number], Severity> = true;

export const outcomeValues = ["ok", "note", "warning", "problem", "not_applicable", "insufficient_data", "error"] as const;

export const outcomeValuesAreDeclared: Same<(typeof outcomeValues)[number], Outcome> = true;

export const healthCodeValues = ["ok", "note", "warning", "problem", "not_applicable", "insufficient_data", "error", "muted", "early_note", "early_warning", "early_problem"] as const;

export const healthCodeValuesAreDeclared: Same<(typeof healthCodeValues)[number], HealthCode> = true;

export const errorKindValues = ["bad_parameter", "forbidden", "read_only", "unknown_run", "unknown_layer", "unknown_finding", "untracked_units", "unknown_picture", "bad_method", "newer_schema", "superseded", "too_large", "too_slow", "damaged_run"] as const;

export const errorKindValuesAreDeclared: Same<(typeof errorKindValues)[number], ErrorKind> = true;

export const scaleKindValues = ["linear", "log", "symlog"] as const;

export const scaleKindValuesAreDeclared: Same<(typeof scaleKindValues)[number], ScaleKind> = true;

export const lifeStateValues = ["born_dead", "died", "alive", "revived", "unknown"] as const;

export const lifeStateValuesAreDeclared: Same<(typeof lifeStateValues)[number], LifeState> = true;

export const histogramKindValues = ["activation", "gradient"] as const;

export const histogramKindValuesAreDeclared: Same<(typeof histogramKindValues)[number], HistogramKind> = true;

export const findingUnitValues = ["share", "count", ""] as const;

export const findingUnitValuesAreDeclared: Same<(typeof findingUnitValues)[number], FindingUnit> = true;
