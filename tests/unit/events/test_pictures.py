import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tb_activations.events.pictures import LEGEND_HEIGHT, LONGEST_SIDE, Picture, feature_maps, life_map

DEAD, NOT_A_NUMBER = [213, 94, 0], [204, 121, 167]


def pixels(picture: Picture) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Without the legend."""
    array = np.asarray(Image.open(io.BytesIO(picture.png)))
    assert array.shape == (picture.height, picture.width, 3)
    return array[:-LEGEND_HEIGHT]


def test_maps_are_enlarged_in_a_grid_with_gaps() -> None:
    picture = feature_maps(np.zeros((2, 8, 8, 3), np.float32))
    assert (picture.height - LEGEND_HEIGHT, picture.width) == (2 * 48 + 1, 3 * 48 + 2)
    assert (pixels(picture)[48] == 255).all()
    assert (pixels(picture)[:, 97] == 255).all()


def test_brighter_is_larger_on_the_common_scale() -> None:
    maps = np.zeros((1, 4, 4, 3), np.float32)
    maps[..., 1], maps[..., 2] = 1, 4
    picture = feature_maps(maps)
    brightness = pixels(picture)[10, [10, 60, 110]].sum(axis=1)
    assert (picture.low, picture.high) == (0, 4)
    assert brightness[0] < brightness[1] < brightness[2]


def test_on_its_own_scale_each_map_has_both_ends() -> None:
    maps = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1) * np.array([1, 100], np.float32)
    array = pixels(feature_maps(maps, common_scale=False))
    np.testing.assert_array_equal(array[:, :48], array[:, 49 : 49 + 48])


def test_the_legend_runs_from_dark_to_light() -> None:
    picture = feature_maps(np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1))
    legend = np.asarray(Image.open(io.BytesIO(picture.png)))[-LEGEND_HEIGHT:]
    coloured = legend[LEGEND_HEIGHT // 2].astype(int)
    brightness = coloured[np.ptp(coloured, axis=1) > 30].sum(axis=1)
    assert brightness[0] < 200
    assert brightness[-1] > 500


def test_not_a_number_stands_out() -> None:
    maps = np.random.default_rng(0).normal(size=(1, 4, 4, 1)).astype(np.float32)
    maps[0, 0, 0, 0] = np.nan
    array = pixels(feature_maps(maps))
    assert array[0, 0].tolist() == NOT_A_NUMBER
    assert (array == NOT_A_NUMBER).all(axis=2).sum() == 12 * 12


@pytest.mark.parametrize("fill", [np.nan, np.inf, 3.0])
def test_maps_without_a_range_are_drawn(fill: float) -> None:
    assert pixels(feature_maps(np.full((1, 4, 4, 1), fill, np.float32))).size


def test_pictures_are_bounded() -> None:
    assert max(pixels(feature_maps(np.zeros((100, 100, 100, 300), np.float32))).shape) <= LONGEST_SIDE
    assert max(pixels(life_map(np.zeros((5000, 3000), np.float32))).shape) <= LONGEST_SIDE


def test_dead_units_stand_out() -> None:
    activity = np.array([[0.5, 0.5], [0.5, 0.0], [np.nan, 1e-6]], np.float32)
    array = pixels(life_map(activity))
    height, width = array.shape[0] // 2, array.shape[1] // 3
    middle = array[height // 2 :: height, width // 2 :: width]
    assert middle[1, 1].tolist() == DEAD
    assert middle[0, 2].tolist() == NOT_A_NUMBER
    assert (middle == DEAD).all(axis=2).sum() == 1


def test_many_steps_are_averaged_and_dead_when_half_of_them_are() -> None:
    activity = np.full((3 * LONGEST_SIDE, 1), 0.5, np.float32)
    activity[: 3 * LONGEST_SIDE // 2] = 0
    array = pixels(life_map(activity))
    dead = (array[0] == DEAD).all(axis=1)
    assert dead[: LONGEST_SIDE // 2].all()
    assert not dead[LONGEST_SIDE // 2 :].any()


@pytest.mark.parametrize(("draw", "name"), [(feature_maps, "maps"), (life_map, "activity")])
@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 0, 4, 1)])
def test_a_wrong_shape_is_refused_by_name(draw: Callable[..., Picture], name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} must have the shape"):
        draw(np.zeros(shape, np.float32))
