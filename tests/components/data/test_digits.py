from __future__ import annotations

import subprocess
import sys

import numpy as np
from sklearn.datasets import load_digits

from ftcli.components.data.digits import Digits, open_splits


def test_the_digits_are_scikit_learns_scaled_to_bytes() -> None:
    splits = open_splits(Digits(kind="digits"), seed=0)
    assert splits.classes == tuple("0123456789")
    assert (splits.examples[0].key, splits.examples[1796].key) == ("digits/0000", "digits/1796")

    bunch = load_digits()
    assert [e.label for e in splits.examples] == bunch.target.tolist()
    assert splits.classes == tuple(str(digit) for digit in bunch.target_names)
    image = splits.load(7)
    assert (image.mode, image.size) == ("L", (8, 8))
    for index, pixels in enumerate(bunch.images):
        assert np.array_equal(np.asarray(splits.load(index)), np.rint(pixels * 255 / 16))
    assert max(np.asarray(splits.load(i)).max() for i in range(20)) == 255


def test_the_shares_hold() -> None:
    splits = open_splits(Digits(kind="digits"), seed=0)
    sizes = {stream: len(indices) for stream, indices in splits.streams.items()}
    assert sum(sizes.values()) == 1797
    assert abs(sizes["val"] - 270) <= 5
    assert sizes["val"] == sizes["test"]


def test_scikit_learn_is_not_imported_for_them() -> None:
    code = (
        "import sys\n"
        "from ftcli.components.data.digits import Digits, open_splits\n"
        "open_splits(Digits(kind='digits'), 0).load(0)\n"
        "sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
