"""An error as a study keeps it."""

from __future__ import annotations

from ftcli.errors import FtcliError, RecipeError
from ftcli.plans.study import Failure


def failure_of(error: FtcliError) -> Failure:
    problems = error.problems if isinstance(error, RecipeError) else ()
    told = [f"{problem.path}: {problem.message}" for problem in problems]
    remedies = [problem.remedy for problem in problems if problem.remedy]
    remedy = error.remedy or (remedies[0] if remedies else None)
    return Failure("; ".join([error.what, *told]), error.where, remedy, error.exit_code)
