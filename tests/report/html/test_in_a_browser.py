"""The pages in a real browser, where there is one: nothing is fetched or run, nothing sticks out, paper has it all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from ftcli.report.html.page import report_page
from ftcli.report.html.study import study_page
from tests.report.html.run_samples import HOSTILE, Outline, answers, record

BROWSER = shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")]
PHONE = 360
HEIGHT = 9000


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a run in which everything has the worst of names, with its images."""
    noise = Image.effect_noise((90, 70), 200).convert("RGB")
    monkeypatch.setattr("ftcli.report.html.mistakes.images_or_reason", lambda recipe: lambda name: noise)
    run = replace(
        record(HOSTILE), answers=answers(HOSTILE, names=HOSTILE * 20), recipe_text="\n".join(HOSTILE)
    )
    (tmp_path / "page.html").write_text(report_page(run), encoding="utf-8")
    (tmp_path / "study.html").write_text(study_page([run, record()]), encoding="utf-8")
    return tmp_path / "page.html"


def browse(page: Path, *options: str, address: str | None = None) -> str:
    """What the browser prints. It has a home of its own, which goes with the page."""
    assert BROWSER is not None
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [BROWSER, "--headless", "--disable-gpu", "--hide-scrollbars", profile, *sandbox, *options]
    done = subprocess.run(
        [*command, address or page.as_uri()], capture_output=True, text=True, timeout=180, check=True
    )
    return done.stdout


def picture(page: Path, width: int, height: int, *options: str) -> np.ndarray:
    file = page.with_suffix(".png")
    browse(page, f"--screenshot={file}", f"--window-size={width},{height}", *options)
    with Image.open(file) as shot:
        return np.asarray(shot.convert("L"))


def test_hostile_names_make_no_elements(page: Path) -> None:
    """What the browser has understood, written out again, after everything that would run has run."""
    dom = browse(page, "--dump-dom", "--virtual-time-budget=3000")
    assert "<script" not in dom
    outline = Outline(dom)
    assert not [key for _, attributes in outline.seen for key in attributes if key.startswith("on")]
    assert len(outline.named("img")) == 24
    assert dom.count("<h2") == 10


class _Counting(BaseHTTPRequestHandler):
    """Gives the page, and an image for everything else; keeps what was asked for."""

    page = b""
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    _Counting.asked = []
    serving = ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    Thread(target=serving.serve_forever, daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


def asked_for(page: Path, server: ThreadingHTTPServer, content: bytes) -> list[str]:
    _Counting.page, _Counting.asked = content, []
    address = f"http://127.0.0.1:{server.server_address[1]}/page"
    browse(page, "--dump-dom", "--virtual-time-budget=3000", address=address)
    return [
        path for path in _Counting.asked if path != "/favicon.ico"
    ]  # which the browser asks for by itself


def test_nothing_is_fetched(page: Path, server: ThreadingHTTPServer) -> None:
    """Nor would it be, had a name made its way into the markup: the page's own policy forbids it."""
    content = page.read_bytes()
    assert asked_for(page, server, content) == ["/page"]
    pest = (
        b'<img src="/pest.png"><script src="/pest.js"></script><link rel="stylesheet" href="/pest.css"><main'
    )
    assert asked_for(page, server, content.replace(b"<main", pest)) == ["/page"]
    without_policy = re.sub(b'<meta http-equiv="Content-Security-Policy"[^>]*>', b"", content)
    assert len(asked_for(page, server, without_policy.replace(b"<main", pest))) == 4


@pytest.mark.parametrize("name", ["page.html", "study.html"])
def test_nothing_runs_out_of_a_telephone(page: Path, name: str) -> None:
    """A window cannot be that narrow, but a frame in it can: its right margin stays empty."""
    around = page.with_name("phone.html")
    frame = f'<iframe src="{name}" style="width:{PHONE}px;height:{HEIGHT}px;border:0"></iframe>'
    around.write_text(f'<!doctype html><body style="margin:0;background:#fff">{frame}')
    shot = picture(around, 600, HEIGHT)
    assert shot[:, :PHONE].std() > 5
    assert shot[:, PHONE - 10 : PHONE].min() == 255


def test_by_night_the_page_is_dark(page: Path) -> None:
    assert np.median(picture(page, 1280, 2000)) > 240
    assert np.median(picture(page, 1280, 2000, "--blink-settings=preferredColorScheme=0")) < 40


def test_it_goes_on_paper(page: Path) -> None:
    file = page.with_suffix(".pdf")
    browse(page, f"--print-to-pdf={file}", "--no-pdf-header-footer")
    content = file.read_bytes()
    assert content.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 30
