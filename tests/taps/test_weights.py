"""Statistics of weights in eager code, in a graph and under XLA, compared with NumPy in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tb_activations.taps.numbers.layout import WEIGHT_STATISTICS
from tb_activations.taps.numbers.weights import Moments, before, updated
from tests.thorough import mostly

RANDOM = np.random.default_rng(5)
RUNNERS: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "eager": lambda f: f(),
    "graph": lambda f: tf.function(f, jit_compile=False)(),
    "xla": lambda f: tf.function(f, jit_compile=True)(),
}


def normal(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


@pytest.fixture(params=list(RUNNERS))
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], Any]:
    return RUNNERS[request.param]


@pytest.mark.parametrize(("shape", "tolerance"), [((30, 20), 1e-4), ((700, 600), 0.02)], ids=["small", "large"])
def test_statistics_of_an_update_equal_numpy(run: Any, shape: tuple[int, ...], tolerance: float) -> None:
    weight, gradient, momentum = normal(*shape), normal(*shape), normal(*shape)
    velocity = 0.5 + np.square(normal(*shape))
    velocity[:, 3] = 0
    after = weight - 0.1 * gradient

    def measure() -> tf.Tensor:
        moments = Moments(tf.constant(momentum), tf.constant(velocity), -1.0, tf.constant(0.25))
        (values,) = updated(before([tf.constant(weight)], [moments]), [tf.constant(gradient)], [tf.constant(after)])
        return values

    seen = dict(zip(WEIGHT_STATISTICS, run(measure).numpy().tolist(), strict=True))
    known = velocity > 0
    assert seen["elements"] == weight.size
    assert seen["gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
    assert seen["gradient_abs_sum"] == pytest.approx(np.abs(gradient).sum(), rel=tolerance)
    assert seen["gradient_nonfinite"] == seen["nonfinite"] == 0
    assert seen["norm"] == pytest.approx(np.linalg.norm(weight), rel=1e-4)
    assert seen["update_norm"] == pytest.approx(np.linalg.norm(after - weight), rel=tolerance)
    cosine = -(gradient * momentum).sum() / np.linalg.norm(gradient) / np.linalg.norm(momentum)
    assert seen["momentum_cosine"] == pytest.approx(cosine, abs=tolerance)
    surprise = np.sqrt(np.mean(np.square(gradient[known]) / velocity[known]) * 0.25)
    assert seen["surprise"] == pytest.approx(surprise, rel=max(tolerance, 1e-3))
    assert seen["starved"] == pytest.approx(1 / shape[1])


def test_what_an_optimizer_does_not_remember_is_nan(run: Any) -> None:
    weight = normal(4, 3)
    (values,) = run(lambda: updated(before([tf.constant(weight)]), [None], [tf.constant(weight)]))
    seen = dict(zip(WEIGHT_STATISTICS, values.numpy().tolist(), strict=True))
    assert (seen["elements"], seen["update_norm"]) == (12, 0)
    for name in ("gradient_norm", "momentum_cosine", "surprise", "starved"):
        assert np.isnan(seen[name])


REMEMBERED = ((True, True), (True, False), (False, False))
"""Whether the optimizer has momentums and mean squares."""
WAYS = [(runner, remembered) for runner in RUNNERS for remembered in REMEMBERED]
# XLA takes seconds to compile the many operations of each.
QUICK = [(runner, remembered) for runner, remembered in WAYS if runner != "xla" or remembered == (True, False)]


@pytest.mark.parametrize("way", mostly(WAYS, QUICK), ids=str)
def test_weights_together_equal_each_alone(way: tuple[str, tuple[bool, bool]]) -> None:
    runner, remembered = way
    shapes = [(3,), (64,), (1,), (5000,), (4, 3, 7), (130, 700), (0, 4), ()]
    weights, gradients, momentums = ([normal(*shape) for shape in shapes] for _ in range(3))
    gradients[1][3], gradients[2][0], gradients[5][7, 9] = np.nan, 0, np.inf
    gradients[3] *= 1e-25
    weights[4][0, 0, 0] = np.nan
    after = [weight - 0.01 * gradient for weight, gradient in zip(weights, gradients, strict=True)]

    def measure() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        moments = [
            Moments(
                # Not all weights have a momentum under every optimizer.
                tf.constant(momentum) if remembered[0] and len(np.shape(momentum)) != 3 else None,
                tf.constant(np.square(momentum)) if remembered[1] else None,
                -1.0,
                tf.constant(0.3),
            )
            for momentum in momentums
        ]
        held = before([tf.constant(weight) for weight in weights], moments)
        given = [tf.constant(gradient) if place else None for place, gradient in enumerate(gradients)]
        new = [tf.constant(value) for value in after]
        alone = [updated([one], [two], [three])[0] for one, two, three in zip(held, given, new, strict=True)]
        return updated(held, given, new), alone

    together, alone = RUNNERS[runner](measure)
    np.testing.assert_allclose(np.stack(together), np.stack(alone), rtol=1e-4, atol=1e-6)


def test_values_that_are_not_finite_are_counted_and_left_out(run: Any) -> None:
    weight, gradient = normal(300, 300), normal(300, 300)
    weight[5, 5], gradient[:2, 7] = np.inf, np.nan

    def measure() -> tf.Tensor:
        (values,) = updated(before([tf.constant(weight)]), [tf.constant(gradient)], [tf.constant(weight)])
        return values

    seen = dict(zip(WEIGHT_STATISTICS, run(measure).numpy().tolist(), strict=True))
    assert (seen["nonfinite"], seen["gradient_nonfinite"]) == (1, 2)
    assert seen["norm"] == pytest.approx(np.linalg.norm(weight[np.isfinite(weight)]), rel=1e-4)
    assert seen["gradient_norm"] == pytest.approx(np.linalg.norm(gradient[np.isfinite(gradient)]), rel=1e-4)


def test_large_weights_that_leave_the_range_when_squared_have_their_norm(run: Any) -> None:
    plain = normal(300, 300)
    spoiled = plain.copy()
    spoiled[3, 4], spoiled[7, 7] = np.nan, np.inf
    weights = [plain, np.zeros_like(plain), spoiled, plain * np.float32(1e25), plain * np.float32(1e-25)]
    gradients = weights[::-1]

    def measure() -> tf.Tensor:
        held = before([tf.constant(weight) for weight in weights])
        return tf.stack(updated(held, [tf.constant(one) for one in gradients], [tf.constant(one) for one in weights]))

    seen = dict(zip(WEIGHT_STATISTICS, run(measure).numpy().T, strict=True))
    for kind, values in (("", weights), ("gradient_", gradients)):
        expected = [np.linalg.norm(one[np.isfinite(one)].astype(np.float64)) for one in values]
        np.testing.assert_allclose(seen[f"{kind}norm"], expected, rtol=1e-4)
        assert seen[f"{kind}nonfinite"].tolist() == [np.count_nonzero(~np.isfinite(one)) for one in values]


def test_large_weights_of_a_step_that_xla_compiled_are_measured_after_it() -> None:
    weight, small, gradient = normal(300, 300), normal(4, 3), normal(300, 300)
    held = tf.function(lambda: before([tf.constant(weight), tf.constant(small)]), jit_compile=True)()
    given = [tf.constant(gradient), tf.constant(small)]
    after = [tf.constant(weight), tf.constant(small)]
    seen = [dict(zip(WEIGHT_STATISTICS, one.numpy(), strict=True)) for one in updated(held, given, after)]
    for found, own, arrived in zip(seen, (weight, small), (gradient, small), strict=True):
        assert found["norm"] == pytest.approx(np.linalg.norm(own), rel=1e-4)
        assert found["gradient_norm"] == pytest.approx(np.linalg.norm(arrived), rel=1e-4)


def test_no_weights_have_no_statistics() -> None:
    assert updated([], [], []) == []


def test_a_gradient_of_unknown_shape_has_that_of_its_weight() -> None:
    weight, gradient = normal(6, 4), normal(6, 4)

    def measure(given: tf.Tensor) -> tf.Tensor:
        return updated(before([tf.constant(weight)]), [given], [tf.constant(weight)])[0]

    compiled = tf.function(measure, input_signature=[tf.TensorSpec(None, tf.float32)])
    seen = dict(zip(WEIGHT_STATISTICS, compiled(tf.constant(gradient)).numpy().tolist(), strict=True))
    assert seen["gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
