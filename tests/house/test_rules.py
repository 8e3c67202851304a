"""The rules of findings: scripts go by their names, so the README has every one of them and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULE_ARGUMENT = 4
"""Of Finding: severity, where, message, remedy, rule."""


def rules_in_the_code() -> set[str]:
    return {rule for path in (ROOT / "ftcli").rglob("*.py") for rule in rules_of(ast.parse(path.read_text()))}


def rules_of(module: ast.Module) -> Iterator[str]:
    """Each is written out where it is used, or in a table of the same module: composed, nobody could search for it."""
    tables = dict(tables_of(module))
    for node in ast.walk(module):
        rule = rule_argument(node)
        if isinstance(rule, ast.Constant):
            yield rule.value
        elif isinstance(rule, ast.Subscript) and isinstance(rule.value, ast.Name):
            yield from tables[rule.value.id]
        elif rule is not None:
            raise AssertionError(f"the rule {ast.unparse(rule)} is not written out")


def tables_of(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in module.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            yield (
                ast.unparse(node.target),
                [v.value for v in node.value.values if isinstance(v, ast.Constant)],
            )


def rule_argument(node: ast.AST) -> ast.expr | None:
    """None where the node makes no Finding, or one without a rule."""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Finding")):
        return None
    if len(node.args) > RULE_ARGUMENT:
        return node.args[RULE_ARGUMENT]
    return next((keyword.value for keyword in node.keywords if keyword.arg == "rule"), None)


def rules_in_the_readme() -> list[str]:
    """Those in the first column of its tables of rules."""
    found, inside = [], False
    for line in (ROOT / "README.md").read_text().splitlines():
        inside = line.startswith("| rule |") or (inside and line.startswith("|"))
        if inside:
            found += re.findall(r"`([a-z-]+)`", line.split("|")[1])
    return found


def test_every_rule_is_in_the_readme_once() -> None:
    code, readme = rules_in_the_code(), rules_in_the_readme()
    assert len(code) > 30
    assert sorted(code) == sorted(readme)


def test_a_rule_that_is_composed_is_refused() -> None:
    with pytest.raises(AssertionError, match="not written out"):
        list(rules_of(ast.parse("Finding('info', 'where', 'what', 'remedy', f'{kind}-differs')")))
