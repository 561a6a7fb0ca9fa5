"""Reads the text chunks of a PNG without a picture library."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tb_activations.pictures.kinds import feature_maps, read_details
from tb_activations.pictures.png_texts import png_texts

PICTURE = feature_maps(np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2), about="Two maps, größer 0 → 31.")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_texts_of_a_picture_library_are_read() -> None:
    info = PngInfo()
    info.add_text("plain", "latin ü")
    info.add_text("wide", "層 🧠")
    info.add_itxt("international", "größer → 0", "de", "groß")
    info.add_text("packed", "x" * 1000, zip=True)
    encoded = io.BytesIO()
    Image.new("RGB", (2, 2)).save(encoded, "PNG", pnginfo=info)
    texts = png_texts(encoded.getvalue())
    assert texts == {"plain": "latin ü", "wide": "層 🧠", "international": "größer → 0"}


def test_details_come_back_as_they_were_written() -> None:
    assert read_details(PICTURE.png) == PICTURE.details


def test_a_picture_cut_off_anywhere_is_read_up_to_there() -> None:
    for length in range(0, PICTURE.png.index(b"IDAT") + 8):
        assert read_details(PICTURE.png[:length]) in (None, PICTURE.details)


@given(st.lists(st.tuples(st.sampled_from([b"tEXt", b"iTXt", b"zTXt", b"IHDR", b"IDAT"]), st.binary(max_size=40))))
def test_no_chunks_are_an_error(chunks: list[tuple[bytes, bytes]]) -> None:
    assert isinstance(png_texts(png_of(*(chunk(name, content) for name, content in chunks))), dict)


@given(st.binary(max_size=60))
def test_no_bytes_are_an_error(content: bytes) -> None:
    assert isinstance(png_texts(png_of(content)), dict)
    assert png_texts(b"GIF89a" + content) == {}


def test_a_length_beyond_the_file_ends_it() -> None:
    assert png_texts(png_of(b"\xff\xff\xff\xfftEXtkey\0value")) == {}


def test_what_is_packed_stays_packed() -> None:
    bomb = zlib.compress(b"\0" * 2**24)
    packed = png_of(chunk(b"zTXt", b"key\0\0" + bomb), chunk(b"iTXt", b"other\0\x01\0\0\0" + bomb))
    assert png_texts(packed) == {"other": ""}


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (0, 0)])
def test_the_size_a_picture_claims_does_not_matter(size: tuple[int, int]) -> None:
    start = PICTURE.png.index(b"IHDR") + 4
    claimed = PICTURE.png[:start] + struct.pack(">II", *size) + PICTURE.png[start + 8 :]
    assert read_details(claimed) == PICTURE.details


def test_reading_in_many_threads_leaves_the_filters_of_warnings_alone() -> None:
    before, barrier = list(warnings.filters), threading.Barrier(8)

    def read() -> bool:
        barrier.wait()
        return all(read_details(PICTURE.png) == PICTURE.details for _ in range(200))

    with ThreadPoolExecutor(8) as pool:
        assert all(future.result() for future in [pool.submit(read) for _ in range(8)])
    assert list(warnings.filters) == before
