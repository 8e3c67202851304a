"""scikit-learn's handwritten digits: 1,797 images of 8x8 pixels in ten classes, on every machine."""

from __future__ import annotations

from typing import Literal

from ._common import DataOptions


class Digits(DataOptions):
    """1,797 handwritten digits, 8x8 pixels, shipped with scikit-learn."""

    kind: Literal["digits"]
