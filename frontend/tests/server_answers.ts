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

export const runList: RunList = {"runs": [{"name": "sick", "readable": true, "kind": null, "reason": "", "records": 12, "layers": 5, "first_step": 0, "last_step": 110, "start_time": 1795219200.0, "last_time": 1795219206.0, "severity": "problem", "sentence": "…", "layer": "dense_2", "headline": "…", "since_step": 30, "layers_affected": 3, "health": "0----0----0-----33333333333333333333333333333333333333333333", "epoch": 2, "metrics": {"loss": 1.6339360475540161, "accuracy": 0.3796599393248906, "val_loss": 1.9607232570648192, "val_accuracy": 0.337755309488592}}], "left_out": {}};

export const runDescription: RunDescription = {"run": "sick", "model": "synthetic", "schema_version": 2, "layers": [{"name": "head_4", "class_name": "Dense", "call_site": 0, "output_shape": [null, 2], "dtype": "float32", "units": 2, "activation": "softmax", "parameters": 6, "trainable": true, "inputs": [], "is_gate": false, "part_of": "", "not_observed": "", "severity": null, "outcomes": ["not_applicable", "not_applicable", "ok"], "muted": []}], "weights": [{"name": "head_4/kernel", "layer": "head_4", "shape": [2, 2], "has_gradient": true}], "rules": [{"id": "nonfinite", "title": "…", "why": "…", "outcome": null, "thresholds": [{"id": "skipped_steps", "title": "…", "unit": "steps", "default": 10.0, "low": 1, "high": 1000000.0, "scale": "linear", "start": 1, "end": 40.0, "step": 1, "is_whole": true, "value": 10.0}]}], "statistics": [{"id": "input_rms", "title": "…", "about": "…", "unit": "", "scale": "log"}], "step_statistics": [{"id": "gradient_row_share", "title": "…", "about": "…", "unit": "", "scale": "linear"}], "thresholds": {"dead_units": {"share": 0.5}, "vanishing_gradient": {"share": 0.5}, "nonfinite": {"share": 0.5}}, "cadence": {"update_freq": 10}, "versions": {"tb_activations": "0.0.0"}, "cost": {"overhead": 0.013000000268220901, "observation_seconds": 0.03999999910593033, "interval": 10.0, "one_time_seconds": 3.5}, "left_out": {}};

export const findings: Findings = {"run": "sick", "verdict": {"severity": "warning", "sentence": "…", "layer": "dense_0", "layers_affected": 2, "layers_total": 5, "rules_checked": 3, "rules_not_applicable": 0, "muted": 1}, "findings": [{"id": "vanishing_gradient:dense_1:30", "quantity": "…", "rule": "vanishing_gradient", "layer": "dense_1", "severity": "warning", "sign": "elasticity", "unit": "", "value": 0.0, "threshold": 0.0001, "samples": 288, "checks": 9, "since_step": 30, "opened_step": 30, "last_step": 110, "message": "…", "might_be_wrong": "…", "advice": "…", "source": "synthetic", "units": [], "unit_count": 0, "closed_step": null, "closing_threshold": null, "root": "dead_units:dense_2:30", "origin": "", "reopened_step": null, "follow_up": "", "sample_row": null, "sample_id": "", "mute": null}], "mutes": {"stored": "browser", "why": "…", "problem": ""}, "left_out": {}};

export const judgement: Judgement = {"run": "sick", "verdict": {"severity": null, "sentence": "…", "layer": "", "layers_affected": 0, "layers_total": 4, "rules_checked": 1, "rules_not_applicable": 0, "muted": 0}, "changes": [{"rule": "vanishing_gradient", "layer": "dense_0", "headline": "…", "before": "warning", "after": null}], "records": 12, "left_out": {}};

export const pictureList: PictureList = {"run": "sick", "pictures": [{"tag": "feature_maps/dense_0", "kind": "feature_maps", "subject": "dense_0", "description": "…", "steps": [0, 100], "wall_times": [1795219200.5, 1795219205.5], "size": [195, 121]}], "left_out": {}};

export const pictureDetailsAnswer: PictureDetailsAnswer = {"details": {"low": -1.0, "high": 1.0, "scale": "common", "about": "…"}};

export const errorAnswer: ErrorAnswer = {"error": "…", "kind": "newer_schema"};

export const matrixHeader: MatrixHeader = {"run": "sick", "stat": "mean", "layers": ["dense_0", "dense_1", "dense_2", "batch_normalization_3", "head_4"], "steps": [0, 110], "recorded_steps": 12, "wall_times": [1795219200.5, 1795219206.0], "low": 0.36477911472320557, "high": 0.437821626663208, "left_out": {}, "shape": [5, 2]};

export const matrixHeaderFrame = "HAEAAHsicnVuIjogInNpY2siLCAic3RhdCI6ICJtZWFuIiwgImxheWVycyI6IFsiZGVuc2VfMCIsICJkZW5zZV8xIiwgImRlbnNlXzIiLCAiYmF0Y2hfbm9ybWFsaXphdGlvbl8zIiwgImhlYWRfNCJdLCAic3RlcHMiOiBbMCwgMTEwXSwgInJlY29yZGVkX3N0ZXBzIjogMTIsICJ3YWxsX3RpbWVzIjogWzE3OTUyMTkyMDAuNSwgMTc5NTIxOTIwNi4wXSwgImxvdyI6IDAuMzY0Nzc5MTE0NzIzMjA1NTcsICJoaWdoIjogMC40Mzc4MjE2MjY2NjMyMDgsICJsZWZ0X291dCI6IHt9LCAic2hhcGUiOiBbNSwgMl19KCrgPjn23j4FvM4+f8HGPhwgvj4l1No+VMS6PtBivT4Yo8M+rxTWPg==";

export const seriesHeader: SeriesHeader = {"run": "sick", "layer": "dense_2", "stats": ["mean", "std"], "steps": [0, 110], "recorded_steps": 12, "wall_times": [1795219200.5, 1795219206.0], "shape": [2, 2]};

export const seriesHeaderFrame = "pAAAAHsicnVuIjogInNpY2siLCAibGF5ZXIiOiAiZGVuc2VfMiIsICJzdGF0cyI6IFsibWVhbiIsICJzdGQiXSwgInN0ZXBzIjogWzAsIDExMF0sICJyZWNvcmRlZF9zdGVwcyI6IDEyLCAid2FsbF90aW1lcyI6IFsxNzk1MjE5MjAwLjUsIDE3OTUyMTkyMDYuMF0sICJzaGFwZSI6IFsyLCAyXX0gHCC+PiXU2j4cID4/JdRaPw==";

export const unitsHeader: UnitsHeader = {"run": "sick", "layer": "dense_2", "steps": [0, 110], "recorded_steps": 12, "lives": [{"unit": 0, "state": "died", "since_step": 20, "revivals": 0, "samples": 320, "activity_below": 0.009375}, {"unit": 1, "state": "died", "since_step": 30, "revivals": 0, "samples": 288, "activity_below": 0.010416666666666666}], "left_out": {}, "shape": [2, 2, 2]};

export const unitsHeaderFrame = "YAEAAHsicnVuIjogInNpY2siLCAibGF5ZXIiOiAiZGVuc2VfMiIsICJzdGVwcyI6IFswLCAxMTBdLCAicmVjb3JkZWRfc3RlcHMiOiAxMiwgImxpdmVzIjogW3sidW5pdCI6IDAsICJzdGF0ZSI6ICJkaWVkIiwgInNpbmNlX3N0ZXAiOiAyMCwgInJldml2YWxzIjogMCwgInNhbXBsZXMiOiAzMjAsICJhY3Rpdml0eV9iZWxvdyI6IDAuMDA5Mzc1fSwgeyJ1bml0IjogMSwgInN0YXRlIjogImRpZWQiLCAic2luY2Vfc3RlcCI6IDMwLCAicmV2aXZhbHMiOiAwLCAic2FtcGxlcyI6IDI4OCwgImFjdGl2aXR5X2JlbG93IjogMC4wMTA0MTY2NjY2NjY2NjY2NjZ9XSwgImxlZnRfb3V0Ijoge30sICJzaGFwZSI6IFsyLCAyLCAyXX0gICCQZCU/StVCPwAAAAAAAAAAGiH3P8PcGUAAAAAAAAAAAA==";

export const histogramsHeader: HistogramsHeader = {"run": "sick", "layer": "dense_2", "kind": "gradient", "steps": [0, 100], "recorded_steps": 2, "shape": [2, 32]};

export const histogramsHeaderFrame = "dAAAAHsicnVuIjogInNpY2siLCAibGF5ZXIiOiAiZGVuc2VfMiIsICJraW5kIjogImdyYWRpZW50IiwgInN0ZXBzIjogWzAsIDEwMF0sICJyZWNvcmRlZF9zdGVwcyI6IDIsICJzaGFwZSI6IFsyLCAzMl19ICAg1DbovDVqBT0AAABAAAAAAAAAAAAAAIBAAAAAQQAAAEEAAABBAABQQQAA2EEAANBBAABAQgAA4EEAADhCAABEQgAA+EEAAAhCAADYQQAACEIAAABCAADgQQAAUEEAAHBBAAAgQQAAQEEAAKBAAACAPwAAgD8AAIA/AAAAAAAAgD+iK+q8tp0OPQAAgD8AAIBAAAAAQAAAAEAAAABAAAAgQQAAmEEAAKhBAADQQQAA4EEAAABCAAAMQgAAPEIAABxCAAAIQgAAIEIAAFBCAAAoQgAAuEEAAFBBAAAQQQAAUEEAAOBAAACAPwAAoEAAAIA/AACAPwAAAEAAAAAAAACAPw==";

export const sequencesHeader: SequencesHeader = {"run": "sick", "layer": "dense_0", "steps": [0, 100], "recorded_steps": 2, "lengths": [80, 80], "readings": ["The gradient at the first 2 time steps is 0.01 times that at the last ones; half of its squared norm comes from the last 6 of 80 steps.", "The gradient at the first 2 time steps is 1e-7 times that at the last ones; half of its squared norm comes from the last 2 of 80 steps."], "shape": [2, 2, 64]};

export const sequencesHeaderFrame = "nAEAAHsicnVuIjogInNpY2siLCAibGF5ZXIiOiAiZGVuc2VfMCIsICJzdGVwcyI6IFswLCAxMDBdLCAicmVjb3JkZWRfc3RlcHMiOiAyLCAibGVuZ3RocyI6IFs4MCwgODBdLCAicmVhZGluZ3MiOiBbIlRoZSBncmFkaWVudCBhdCB0aGUgZmlyc3QgMiB0aW1lIHN0ZXBzIGlzIDAuMDEgdGltZXMgdGhhdCBhdCB0aGUgbGFzdCBvbmVzOyBoYWxmIG9mIGl0cyBzcXVhcmVkIG5vcm0gY29tZXMgZnJvbSB0aGUgbGFzdCA2IG9mIDgwIHN0ZXBzLiIsICJUaGUgZ3JhZGllbnQgYXQgdGhlIGZpcnN0IDIgdGltZSBzdGVwcyBpcyAxZS03IHRpbWVzIHRoYXQgYXQgdGhlIGxhc3Qgb25lczsgaGFsZiBvZiBpdHMgc3F1YXJlZCBub3JtIGNvbWVzIGZyb20gdGhlIGxhc3QgMiBvZiA4MCBzdGVwcy4iXSwgInNoYXBlIjogWzIsIDIsIDY0XX0gICDNzEw+NU1TPp3NWT4FTmA+bc5mPtVObT49z3M+pU96PgdogD47qIM+b+iGPqMoij7XaI0+C6mQPj/pkz5zKZc+p2maPtupnT4P6qA+QyqkPndqpz6rqqo+3+qtPhMrsT5Ha7Q+e6u3Pq/ruj7jK74+F2zBPkusxD5/7Mc+syzLPudszj4brdE+T+3UPoMt2D63bds+663ePh/u4T5TLuU+h27oPruu6z7v7u4+Iy/yPldv9T6Lr/g+v+/7PvMv/z4UOAE/LtgCP0h4BD9iGAY/fLgHP5ZYCT+w+Ao/ypgMP+Q4Dj/+2A8/GHkRPzIZEz9MuRQ/ZlkWP4D5Fz+amRk/zcxMPjVNUz6dzVk+BU5gPm3OZj7VTm0+Pc9zPqVPej4HaIA+O6iDPm/ohj6jKIo+12iNPgupkD4/6ZM+cymXPqdpmj7bqZ0+D+qgPkMqpD53aqc+q6qqPt/qrT4TK7E+R2u0Pnurtz6v67o+4yu+PhdswT5LrMQ+f+zHPrMsyz7nbM4+G63RPk/t1D6DLdg+t23bPuut3j4f7uE+Uy7lPodu6D67rus+7+7uPiMv8j5Xb/U+i6/4Pr/v+z7zL/8+FDgBPy7YAj9IeAQ/YhgGP3y4Bz+WWAk/sPgKP8qYDD/kOA4//tgPPxh5ET8yGRM/TLkUP2ZZFj+A+Rc/mpkZPxe30TiAnuE4q7ryOIGRAjlceAw5ch8XOVeVIjm86S45fi08OcZySjkazVk5flFqOYwWfDlKmoc54eKROR3znDki2qg5Oqi1OepuwzkOQdI57TLiOVpa8zln5wI6xdQMOt2CFzpNACM6zVwvOkqpPDr190o6Y1xaOqTrajpjvHw6gPOHOttCkjpeWp06N0mpOrsftjp878M6YMvSOrzH4jpy+vM6hT0DO2sxDTuJ5hc7iGsjOyvQLztnJT07e31LOwrsWjswhms7p2J9O/BMiDsTo5I74sGdO5W4qTuMl7Y7YnDEOwxW0zvtXOM785r0O9uTAzxNjg08d0oYPArXIzxfcIkwXYKxMBJD5TA3DRQxTTc/MQr3djHZe58xMfvNMXoEBTJ3zCsy9OJdMutJjzKFELkyIQXvMmZaGjPPWkcz/7yAM5lFpjOVv9Yz2a0KNGYcMzSmVGc0NWOVNADxwDSDMfk0PuwgNf/WTzW9N4Y1T1mtNX/j3zXolBA2Arw6NkAtcTbyvps2TifJNl/mATesxSc3o69YNzDuizciurQ3AmvpN0i8FjiurkI4InF7OPdfojgXt9E4xm0HObzpLjmq6GE54eKROVprvDlaWvM5tSYdOvX3SjpvEoM6N0mpOiuk2jprMQ07mls2OzCGazt4GJg7YnDEO/K1/TsK1yM8";

export const severityValues = ["note", "warning", "problem"] as const;

export const severityValuesAreDeclared: Same<(typeof severityValues)[number], Severity> = true;

export const outcomeValues = ["ok", "note", "warning", "problem", "not_applicable", "insufficient_data", "error"] as const;

export const outcomeValuesAreDeclared: Same<(typeof outcomeValues)[number], Outcome> = true;

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
