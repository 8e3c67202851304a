from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

MakeImages = Callable[..., None]


@pytest.fixture
def make_images() -> MakeImages:
    """Write `count` small PNG images, each of its own gray, into a folder."""

    def make(folder: Path, count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("L", (4, 4), number).save(folder / f"{number:03d}.png")

    return make


@pytest.fixture
def pets(tmp_path: Path, make_images: MakeImages) -> Path:
    """Class folders: 10 cats, 20 dogs."""
    make_images(tmp_path / "pets" / "cats", 10)
    make_images(tmp_path / "pets" / "dogs", 20)
    return tmp_path / "pets"
