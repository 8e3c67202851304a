"""What every test may use. One thread: small tensors are fastest so, and two test runs do not slow each other down."""

import os

import pytest

import tests.fuzz  # noqa: F401 - a profile of Hypothesis's, there before a command line names it
from ftcli.offline import VARIABLE
from tests.faults.tally import fault_count  # noqa: F401 - a fixture

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """What ftcli remembers of images between runs: nothing of the user's, nothing left behind."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def in_fp32_unless_asked():
    """`precision: auto` is fp32 on every machine that tests run on, also where the processor has bf16."""
    patch = pytest.MonkeyPatch()
    patch.setattr("ftcli.engine.placement.cpu_has_bf16", lambda: False)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def online_again():
    """`--offline` is for a process: the next test is another command's."""
    before = os.environ.get(VARIABLE)
    yield
    os.environ.pop(VARIABLE, None)
    if before is not None:
        os.environ[VARIABLE] = before


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder of real digits in four class folders, written once."""
    from tests.toys import write_digits

    return write_digits(tmp_path_factory.mktemp("digits"))
