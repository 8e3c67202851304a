"""What trained and what was frozen, stage by stage and phase by phase, and the proof that it stayed."""

from __future__ import annotations

from ftcli.plans.freeze_facts import plan_facts
from ftcli.plans.freeze_table import Cell, FreezeTable, freeze_table
from ftcli.plans.training_plan import TrainingPlan
from ftcli.report import numbers
from ftcli.report.html.pieces import note, section, wide
from ftcli.report.html.text import foreign, safe
from ftcli.report.safe_text import listed
from ftcli.report.stage_table import norm_text
from ftcli.workflows.report_run import RunRecord

_MOST_STAGES, _MOST_PHASES = 100, 30


def freeze(run: RunRecord) -> str:
    if run.plan is None:
        return ""
    counted = freeze_table(plan_facts(run.plan))
    how = (
        "&#9679; trains, &#9680; in part, &#9675; frozen; below it the highest LR and what its BatchNorm does"
    )
    return section(
        "freeze",
        "What was frozen",
        _proof(run),
        wide("What trained, stage by stage and phase by phase", _table(run.plan, counted)),
        note(how),
    )


def _proof(run: RunRecord) -> str:
    result = run.result
    if result is None:
        return ""
    frozen = result.frozen
    if not frozen.checked:
        return "<p>Nothing was frozen in any phase.</p>"
    if frozen.changed:
        names = safe(listed(frozen.names, 400)) if frozen.names else ""
        told = f"Proof failed: {frozen.changed:,} of {frozen.checked:,} frozen tensors changed: {names}"
        return f'<p class="error">{told}</p>'
    return (
        f"<p>Proof: <strong>0 of {frozen.checked:,}</strong> frozen tensors changed. Each was compared, bit for bit, "
        "with itself at the start of its phase.</p>"
    )


def _table(plan: TrainingPlan, counted: FreezeTable) -> str:
    stages, phases = counted.stages[:_MOST_STAGES], counted.phases[:_MOST_PHASES]
    heads = "".join(
        f'<th scope="col">{number} {foreign(phase.name, 24)}<br>{_epochs(phase.start_epoch, phase.end_epoch)}</th>'
        for number, phase in enumerate(phases)
    )
    rows = "\n".join(
        f'<tr><th scope="row">{foreign(stage.name, 32)}</th><td class="number">{stage.parameters:,}</td>'
        + "".join(_cell(cell) for cell in stage.phases[:_MOST_PHASES])
        + "</tr>"
        for stage in stages
    )
    totals = "".join(f"<td>{numbers.share(phase.trainable_share)}</td>" for phase in phases)
    caption = (
        f"{foreign(plan.layer_map.backbone)}, from the input to the head, as planned{_left_out(counted)}"
    )
    return (
        f'<table class="freeze">\n<caption>{caption}</caption>\n<thead><tr><th scope="col">stage</th>'
        f'<th scope="col" class="number">parameters</th>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n'
        f'<tfoot><tr><th scope="row">trains in all</th><td class="number">{counted.parameters:,}</td>{totals}</tr>'
        "</tfoot>\n</table>"
    )


def _cell(cell: Cell) -> str:
    if not cell.trainable:
        return '<td class="off"><span aria-hidden="true">&#9675;</span> frozen</td>'
    whole = cell.trainable_share == 1
    mark = "&#9679;" if whole else "&#9680;"
    how = "trains" if whole else f"{numbers.share(cell.trainable_share)} trains"
    below = [numbers.rate(cell.lr_high)] if cell.lr_high is not None else []
    if cell.batch_norm.layers:
        below.append(f"BN {norm_text(cell.batch_norm)}")
    return f'<td><span aria-hidden="true">{mark}</span> {how}<small>{safe(", ".join(below))}</small></td>'


def _epochs(start: int | None, end: int | None) -> str:
    return "" if start is None or end is None else numbers.when(start, end)


def _left_out(counted: FreezeTable) -> str:
    stages, phases = len(counted.stages), len(counted.phases)
    told = [f"the first {_MOST_STAGES} of {stages} stages"] if stages > _MOST_STAGES else []
    told += [f"the first {_MOST_PHASES} of {phases} phases"] if phases > _MOST_PHASES else []
    return f"; {', '.join(told)}" if told else ""
