"""Which of the scores is told first, which beside it, and how each is written: as classes or next tokens have it."""

from __future__ import annotations

from ftcli.events import Scores
from ftcli.report import numbers


def headline(scores: Scores) -> tuple[str, str]:
    """Its name, and the field."""
    if scores.perplexity is not None:
        return "perplexity", "perplexity"
    if scores.mean_average_precision is None:
        return "accuracy", "accuracy"
    return "mAP", "mean_average_precision"


def comparable(scores: Scores) -> tuple[str, str]:
    """The same, of which more is better: of a language model how often the likeliest next token is right."""
    name, field = headline(scores)
    return ("next-token accuracy", "accuracy") if field == "perplexity" else (name, field)


def second(scores: Scores) -> tuple[str, str]:
    """The name of the score beside it, and the score: macro F1, or how often the likeliest next token is right."""
    if scores.macro_f1 is None:
        return "next token", numbers.accuracy(scores.accuracy)
    return "macro F1", f"{scores.macro_f1:.3f}"


def score(scores: Scores, field: str) -> str:
    return told(field, float(getattr(scores, field) or 0.0))


def told(field: str, value: float) -> str:
    return numbers.perplexity(value) if field == "perplexity" else numbers.accuracy(value)


def told_range(field: str, low: float, high: float, between: str = "-") -> str:
    """An interval, without the sign of a percentage."""
    if field == "perplexity":
        return f"{numbers.perplexity(low)}{between}{numbers.perplexity(high)}"
    return f"{100 * low:.1f}{between}{100 * high:.1f}"
