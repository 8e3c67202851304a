"""The process ends at once, after all that was left to be done at its end."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import atexit, gc, sys, threading, time
from types import SimpleNamespace
import ftcli.__main__
import ftcli.cli.app

class Cycle:
    def __del__(self):
        print("taken apart", flush=True)

def command(arguments):
    last = SimpleNamespace(cycle=Cycle())
    last.itself = last
    sys.modules["kept"] = last
    atexit.register(print, "registered")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    print("threshold", gc.get_threshold()[0])
    sys.stderr.write("not flushed")
    {end}

ftcli.cli.app.call = command
ftcli.__main__.main()
"""


def ended(end: str) -> subprocess.CompletedProcess[str]:
    code = SCRIPT.replace("{end}", end)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_threads_and_what_was_registered_come_first_and_nothing_is_taken_apart() -> None:
    done = ended("return")
    assert done.stdout.split() == ["threshold", "10000", "thread", "registered"]
    assert done.stderr == "not flushed"
    assert done.returncode == 0


def test_the_exit_code_stays() -> None:
    for end, code in (("sys.exit(7)", 7), ("raise KeyboardInterrupt", 130)):
        done = ended(end)
        assert done.returncode == code, done.stderr
        assert done.stdout.endswith("registered\n")
