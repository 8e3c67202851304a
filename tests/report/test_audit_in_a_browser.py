"""The page of an audit in a real browser, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ftcli.report.audit_html import audit_html
from tests.report.test_audit import EVIL, image, report

BROWSER = shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")]
PHONE = 390


@pytest.fixture
def page(tmp_path: Path) -> Path:
    long = "train/" + "long" * 60 + "/" + EVIL
    (tmp_path / "page.html").write_text(audit_html(report(3, long), image), encoding="utf-8")
    return tmp_path / "page.html"


def browse(page: Path, *options: str) -> str:
    """What the browser prints. It has a home of its own, which goes with the page."""
    assert BROWSER is not None
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [BROWSER, "--headless", "--disable-gpu", "--hide-scrollbars", profile, *sandbox, *options]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def picture(page: Path, width: int, *options: str) -> np.ndarray:
    file = page.with_suffix(".png")
    browse(page, f"--screenshot={file}", f"--window-size={width},1600", *options)
    with Image.open(file) as shot:
        return np.asarray(shot.convert("L"))


def test_hostile_names_make_no_elements(page: Path) -> None:
    """What the browser has understood, written out again."""
    dom = browse(page, "--dump-dom")
    assert "<script" not in dom
    assert "&lt;script&gt;" in dom
    assert dom.count("<img") == 6


def test_nothing_runs_out_of_a_telephone(page: Path) -> None:
    """A window cannot be that narrow, but a frame in it can: its right margin stays empty."""
    around = page.with_name("phone.html")
    frame = f'<iframe src="{page.name}" style="width:{PHONE}px;height:1600px;border:0"></iframe>'
    around.write_text(f'<!doctype html><body style="margin:0;background:#fff">{frame}')
    shot = picture(around, 600)
    assert shot[:, :PHONE].std() > 5
    assert shot[:, PHONE - 10 : PHONE].min() == 255


def test_by_night_the_page_is_dark(page: Path) -> None:
    assert np.median(picture(page, 1200)) > 240
    assert np.median(picture(page, 1200, "--blink-settings=preferredColorScheme=0")) < 40
