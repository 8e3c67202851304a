"""Libraries of the end of a run: imported on the way where there is little to wait for, else at the end."""

import sys
import threading

import pytest

from ftcli.engine.preload import FEW, preload

RARE = "xml.dom.pulldom"


def wait_for(name):
    for thread in threading.enumerate():
        if thread.name == f"import {name}":
            thread.join()


@pytest.mark.parametrize(("num_examples", "imported"), [(FEW, True), (FEW + 1, False)])
def test_only_where_examples_are_few(num_examples, imported, monkeypatch):
    monkeypatch.delitem(sys.modules, RARE, raising=False)
    preload(num_examples, RARE)
    wait_for(RARE)
    assert (RARE in sys.modules) is imported


def test_what_cannot_be_imported_is_left_to_who_needs_it(monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    preload(1, "no.such.library")
    wait_for("no.such.library")
    assert not told
