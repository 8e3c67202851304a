"""What is told of examples that cannot be read."""

from __future__ import annotations

from ftcli.engine.unreadable import SHOWN, all_at_once
from ftcli.errors import DataError


def test_one_is_told_as_it_is() -> None:
    error = DataError("it is cut off", where="a.jpg", remedy="copy it again")
    assert all_at_once([error], "7 images", "remove them") is error


def test_of_many_the_first_are_told_with_their_places() -> None:
    errors = [DataError("it is cut off", where=f"{i}.jpg") for i in range(SHOWN + 2)]
    told = all_at_once(errors, "70 images", "remove them")
    assert told.what.startswith("12 of 70 images cannot be read: 0.jpg: it is cut off; 1.jpg")
    assert told.what.endswith(f"{SHOWN - 1}.jpg: it is cut off; and 2 more")
    assert told.remedy == "remove them"
