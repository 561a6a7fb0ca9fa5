import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tb_activations.pictures.colors import DIVERGING, SEQUENTIAL, colored
from tb_activations.pictures.drawing import LEGEND_HEIGHT
from tb_activations.pictures.kinds import (
    LONGEST_SIDE,
    Details,
    Picture,
    feature_maps,
    images,
    life_map,
    mean_activations,
    read_details,
    saliency,
    through_time,
)

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
    colored = legend[LEGEND_HEIGHT // 2].astype(int)
    brightness = colored[np.ptp(colored, axis=1) > 30].sum(axis=1)
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


@pytest.mark.parametrize(
    ("draw", "name"), [(feature_maps, "maps"), (life_map, "activity"), (mean_activations, "means"), (images, "rows")]
)
@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 0, 4, 1)])
def test_a_wrong_shape_is_refused_by_name(draw: Callable[..., Picture], name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        draw(np.zeros(shape, np.float32))


def test_a_picture_says_what_its_values_are() -> None:
    maps = np.linspace(-1.5, 0.1, 32, dtype=np.float32).reshape(1, 4, 4, 2)
    picture = feature_maps(maps, common_scale=False, about="Maps of épochs – <b>")
    assert read_details(picture.png) == picture.details
    assert picture.details == Details(-1.5, float(np.float32(0.1)), "each", "Maps of épochs – <b>")
    assert read_details(life_map(np.ones((2, 2), np.float32)).png) == Details(1e-4, 1.0, "logarithmic", "")
    empty = read_details(feature_maps(np.full((1, 2, 2, 1), np.nan, np.float32)).png)
    assert empty is not None
    assert np.isnan([empty.low, empty.high]).all()


def test_other_bytes_have_no_details() -> None:
    png = feature_maps(np.zeros((1, 4, 4, 1), np.float32)).png
    plain = io.BytesIO()
    Image.new("RGB", (2, 2)).save(plain, "PNG")
    for other in (b"", b"GIF89a", plain.getvalue(), png[:40], png.replace(b"common", b"commom"), png[: len(png) // 8]):
        assert read_details(other) is None


@pytest.mark.parametrize("position", range(0, 400, 7))
def test_damaged_pictures_do_not_raise(position: int) -> None:
    png = bytearray(feature_maps(np.zeros((1, 4, 4, 1), np.float32)).png)
    png[position] ^= 0xFF
    read_details(bytes(png))


def test_images_are_drawn_as_they_look() -> None:
    gray = np.array([0.0, 0.25, 1.0], np.float32).reshape(1, 3, 1, 1, 1).repeat(8, axis=2).repeat(8, axis=3)
    picture = images(gray)
    assert pixels(picture)[10, [10, 60, 110]].tolist() == [[0] * 3, [64] * 3, [255] * 3]
    assert (picture.low, picture.high) == (0, 1)
    red = np.zeros((2, 1, 8, 8, 3), np.float32)
    red[1, ..., 0] = 5
    assert pixels(images(red))[60, 10].tolist() == [255, 0, 0]


def test_vectors_are_strips_thick_enough_to_be_seen() -> None:
    picture = images(np.arange(64, dtype=np.float32).reshape(1, 1, 1, 64, 1))
    assert pixels(picture).shape[0] == 8


def test_saliency_stands_below_its_image_and_tells_for_from_against() -> None:
    maps = np.zeros((2, 8, 8), np.float32)
    maps[0, 0, 0], maps[0, 7, 7], maps[1, 0, 0] = 2, -1, 0.5
    picture = saliency(np.zeros((2, 8, 8, 1), np.float32), maps)
    array = pixels(picture).astype(int)
    assert array.shape[0] == 2 * 48 + 1
    mattering, against, nothing = array[49, 0], array[96, 47], array[70, 20]
    assert mattering[0] > mattering[2] + 100
    assert against[2] > against[0] + 50
    assert nothing.min() > 240
    np.testing.assert_array_equal(array[49, 49], mattering)
    assert picture.details == Details(-2, 2, "each", "")
    with pytest.raises(ValueError, match=r"maps must have shape \[2, 8, 8\]"):
        saliency(np.zeros((2, 8, 8, 1), np.float32), maps[:1])


def test_mean_activations_keep_exact_zeros_on_the_scale() -> None:
    picture = mean_activations(np.array([[0, 1], [-1, 3]], np.float32))
    array = pixels(picture)
    assert not (array == DEAD).all(axis=2).any()
    assert (picture.low, picture.high) == (-1, 3)


# Linear RGB as people without one kind of cone see it (Machado, Oliveira, Fernandes 2009, severity 1.0).
BLINDNESS = {
    "full": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def seen(colors: Any, kind: str) -> Any:
    """CIELAB `[..., 3]` of sRGB colors as a person of this kind sees them."""
    values = np.asarray(colors, float) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ BLINDNESS[kind].T, 0, 1)
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    roots = np.where((t := xyz / [0.9505, 1, 1.089]) > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    x, y, z = np.moveaxis(roots, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


@pytest.mark.parametrize("kind", BLINDNESS)
def test_scales_are_readable_with_color_vision_deficiencies(kind: str) -> None:
    steps = np.linspace(0, 1, 33)
    lightness = seen(colored(steps, 0, 1), kind)[:, 0]
    assert (np.diff(lightness) > 1).all()
    low, high = seen(colored(np.array([0.1, 0.9]), 0, 1, DIVERGING), kind)
    assert np.linalg.norm(low - high) > 40
    for scale in (SEQUENTIAL, DIVERGING):
        away = np.linalg.norm(seen(colored(steps, 0, 1, scale), kind) - seen(NOT_A_NUMBER, kind), axis=1)
        assert away.min() > 8


def test_a_cell_over_time_has_gradients_above_outputs() -> None:
    gradient = np.array([[1e-6, 1e-3], [0, 1]], np.float32)
    picture = through_time(gradient, np.array([[0, 2], [4, np.nan]], np.float32))
    assert [picture.low, picture.high] == pytest.approx([1e-6, 1])
    assert picture.details.scale == "logarithmic"
    array = np.asarray(Image.open(io.BytesIO(picture.png)))
    upper, lower = array[:256, :512][64::128, 128::256], array[256 + LEGEND_HEIGHT :, :512][64:256:128, 128::256]
    brightness = upper.sum(axis=2, dtype=int)
    # Logarithmic: the middle of 1e-6 and 1 is 1e-3. Zero is as dark as the smallest gradient.
    assert brightness[0, 0] == brightness[1, 0] < brightness[0, 1] < brightness[1, 1]
    assert (upper[0, 1] == colored(np.array([0.5]), 0, 1)[0]).all()
    assert (lower[1, 1] == NOT_A_NUMBER).all()
    assert (lower[0, 1] == colored(np.array([0.5]), 0, 1)[0]).all()


@pytest.mark.parametrize("fill", [np.nan, np.inf, 0.0, 3.0])
def test_a_cell_without_a_range_is_drawn(fill: float) -> None:
    table = np.full((300, 5), fill, np.float32)
    assert through_time(table, table).height > 0
