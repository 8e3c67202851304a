"""No pickle is written, and one module opens those of others, for their tensors alone: read off the source."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPENS_WEIGHTS = "components/backbone/_weights.py"
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
CALLS = {
    "torch.save",
    "torch.jit.load",
    "torch.jit.save",
    "torch.package.PackageImporter",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "eval",
    "exec",
}
TRUST = {"trust_remote_code", "allow_pickle"}
"""Arguments that may be given as False alone."""


def breaches(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node)
        elif isinstance(node, ast.Call):
            yield from _called(node)


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    module = node.module or ""
    if module.partition(".")[0] in MODULES:
        yield module
    yield from (f"{module}.{a.name}" for a in node.names if f"{module}.{a.name}" in {*CALLS, "torch.load"})


def _called(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if name in CALLS or name == "__import__":
        yield name
    if name == "torch.load":
        yield "torch.load with care" if _is(given.get("weights_only"), True) else "torch.load"
    if name in ("np.load", "numpy.load") and not _is(given.get("allow_pickle"), False):
        yield name
    yield from (key for key in given if key in TRUST and not _is(given[key], False))


def _is(value: ast.expr | None, wanted: bool) -> bool:
    return isinstance(value, ast.Constant) and value.value is wanted


def test_nowhere_in_ftcli() -> None:
    files = sorted((ROOT / "ftcli").rglob("*.py"))
    found = {
        (path.relative_to(ROOT / "ftcli").as_posix(), what)
        for path in files
        for what in breaches(path.read_text())
    }
    assert len(files) > 200
    assert found == {(OPENS_WEIGHTS, "torch.load with care")}


def test_torch_is_one_that_opens_with_care() -> None:
    """weights_only=True could be got round before 2.10."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (torch,) = (line for line in project["dependencies"] if line.startswith("torch>="))
    assert tuple(map(int, torch.removeprefix("torch>=").split("."))) >= (2, 10)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import joblib.numpy_pickle",
        "from dill import loads",
        "import numpy as np; np.load(path)",
        "import numpy as np; np.load(path, allow_pickle=True)",
        "np.save(path, array, allow_pickle=really)",
        "torch.save(model, path)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=careful)",
        "from torch import load",
        "yaml.load(text, Loader=Loader)",
        "eval(text)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)
def test_what_is_a_breach(source: str) -> None:
    assert list(breaches(source)) != []


@pytest.mark.parametrize("source", ["model.eval()", "json.load(file)", "np.load(path, allow_pickle=False)"])
def test_what_is_none(source: str) -> None:
    assert list(breaches(source)) == []
