"""On what it ran, on which data, and how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ftcli.plans.inputs import noun_of
from ftcli.report import numbers
from ftcli.report.html.pieces import folded, section, terms
from ftcli.report.html.text import safe
from ftcli.workflows.report_run import RunRecord

_LONGEST_RECIPE = 100_000


def repeat(run: RunRecord) -> str:
    command = shlex.join(["ftcli", "train", str(run.path / "recipe.yaml")])
    use = run.result.predict_command if run.result else ""
    recipe = run.recipe_text[:_LONGEST_RECIPE]
    return section(
        "repeat",
        "To repeat it",
        _command(command),
        f"<p>To use the model:</p>{_command(use)}" if use else "",
        terms(_facts(run), "facts"),
        folded("The recipe, every default written out", f'<pre tabindex="0">{_lines(recipe)}</pre>')
        if recipe
        else "",
    )


def _command(text: str) -> str:
    return f'<pre tabindex="0"><code>{safe(text)}</code></pre>'


def _lines(text: str) -> str:
    return "\n".join(safe(line) for line in text.splitlines())


def _facts(run: RunRecord) -> Iterator[tuple[str, str]]:
    counts = run.split.get("counts")
    if isinstance(counts, dict):
        told = ", ".join(f"{safe(stream)} {int(count):,}" for stream, count in counts.items())
        yield "data", f"{safe(run.split.get('source', ''))}: {told}"
    if run.plan is not None:
        plan = run.plan
        yield (
            "optimizer",
            f"{safe(plan.optimizer.kind)}, LR {numbers.rate(plan.optimizer.lr)}, {safe(plan.schedule)}",
        )
        yield (
            "batches",
            f"{plan.batch_size} {noun_of(plan.preprocessing)}s, {plan.accumulation} to a step; seed {plan.seed}",
        )
        yield "BatchNorm", safe(f"{plan.norm.kind}: {plan.norm.reason}")
        yield "precision", safe(run.result.precision or plan.precision if run.result else plan.precision)
    for key, name in (("ftcli", "ftcli"), ("python", "Python"), ("platform", "system"), ("device", "device")):
        if run.environment.get(key):
            yield name, safe(run.environment[key])
    if run.environment.get("gpu"):
        yield "GPU", safe(run.environment["gpu"])
    packages = run.environment.get("packages")
    if isinstance(packages, dict):
        told = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
        yield "packages", safe(told)
    if run.fingerprint:
        yield "plan", f"<code>{safe(run.fingerprint[:16])}</code>"
    if run.split.get("sha256"):
        yield "split", f"<code>{safe(str(run.split['sha256'])[:16])}</code>"
    for problem in run.unreadable:
        yield "not read", safe(problem)
