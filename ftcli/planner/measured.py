"""Table M: what this project's own study found better than the published tables, only where it was measured."""

from __future__ import annotations

from ftcli.planner.table_rows import Row, Span, Table
from ftcli.planner.tables import DIFFERENTIAL

EVIDENCE = (
    "the planner's study (make study-planner): digits, Fashion-MNIST and two sets of emoji drawings, 50 to 800 images "
    "(Fashion-MNIST 2,000), two seeds, EfficientNet-Lite0 at 64 pixels"
)
MEASURED_PER_CLASS = Span(5, 201)
"""Above 100 a class on Fashion-MNIST alone."""
MEASURED_DISTANCES = Span(0.35, 0.9)

_FEW = "5 to 200 a class, unlike photographs: everything at 1e-4, head at 1e-3"

M = Table(
    "M",
    "as measured",
    (
        Row(
            "M",
            _FEW,
            "full",
            DIFFERENTIAL,
            per_class=MEASURED_PER_CLASS,
            domain="close",
            distances=MEASURED_DISTANCES,
        ),
        Row(
            "M",
            _FEW,
            "full",
            DIFFERENTIAL,
            per_class=MEASURED_PER_CLASS,
            domain="far",
            distances=MEASURED_DISTANCES,
            augment="standard",
        ),
    ),
)
