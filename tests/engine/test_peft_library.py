"""What is said where the PEFT library is not there."""

import sys

import pytest

from ftcli.engine.peft_library import peft
from ftcli.errors import ModelError


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)  # as Python does for a package that is not there
    with pytest.raises(ModelError, match="adapters need the package peft") as caught:
        peft()
    assert (caught.value.where, caught.value.remedy) == ("strategy.kind", "pip install 'ftcli[peft]'")
