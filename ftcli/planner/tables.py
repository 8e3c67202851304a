"""Four tables of the field for what to train, row by row; where they disagree, they are left to."""

from __future__ import annotations

from ftcli.planner.table_rows import Rates, Row, Span, Table

LARGE = 10_000
"""Images from which table D, which gives no number, calls data large: where A and C turn to all layers."""

HEAD = Rates(None, None, 1e-3)
UPPER = Rates(None, 1e-4, 1e-3)
CAREFUL = Rates(None, 1e-5, 1e-4)
DIFFERENTIAL = Rates(1e-4, 1e-4, 1e-3)
GRADED = Rates(1e-5, 1e-4, 1e-3)
LOW = Rates(3e-5, 3e-5, 3e-5)
FRESH = Rates(1e-3, 1e-3, 1e-3)

A = Table(
    "A",
    "by total images",
    (
        Row(
            "A",
            "fewer than 1,000 images, close: the head only",
            "feature_extraction",
            HEAD,
            images=Span(0, 1_000),
            domain="close",
            augment="none",
        ),
        Row(
            "A",
            "1,000 to 10,000 images, close: freeze the first two or three stages, tune the rest",
            "partial",
            UPPER,
            last_stages=2,
            images=Span(1_000, 10_000),
            domain="close",
        ),
        Row(
            "A",
            "10,000 to 100,000 images, any domain: end to end with discriminative LRs",
            "full",
            DIFFERENTIAL,
            images=Span(10_000, 100_000),
        ),
        Row(
            "A",
            "100,000 images or more, far: everything; consider training from scratch",
            "full",
            DIFFERENTIAL,
            or_else=("scratch",),
            images=Span(100_000),
            domain="far",
            augment="standard",
        ),
    ),
)

B = Table(
    "B",
    "by images per class",
    (
        Row(
            "B",
            "millions of images, very different: from scratch, or pretraining on the domain",
            "scratch",
            FRESH,
            images=Span(1_000_000),
            per_class=Span(),
            domain="far",
            augment="strong",
        ),
        Row(
            "B",
            "any size, very different: everything, with augmentation, LRs 1e-5 / 1e-4 / 1e-3",
            "lp_ft",
            GRADED,
            per_class=Span(),
            domain="far",
            augment="standard",
        ),
        Row(
            "B",
            "fewer than 100 a class, similar: feature extraction, head at 1e-3",
            "feature_extraction",
            HEAD,
            per_class=Span(0, 100),
            domain="close",
            augment="none",
        ),
        Row(
            "B",
            "100 to 1,000 a class, similar: feature extraction, head at 1e-3",
            "feature_extraction",
            HEAD,
            per_class=Span(100, 1_000),
            domain="close",
            augment="none",
        ),
        Row(
            "B",
            "1,000 to 10,000 a class, similar: the last one or two stages at 1e-4, head at 1e-3",
            "partial",
            UPPER,
            last_stages=2,
            per_class=Span(1_000, 10_001),
            domain="close",
        ),
        Row(
            "B",
            "more than 10,000 a class, similar: all layers at 1e-4, head at 1e-3",
            "full",
            DIFFERENTIAL,
            per_class=Span(10_001),
            domain="close",
        ),
    ),
)

C = Table(
    "C",
    "by total images, coarse",
    (
        Row(
            "C",
            "100 to 1,000 images: the head",
            "feature_extraction",
            HEAD,
            images=Span(100, 1_000),
            augment="none",
        ),
        Row(
            "C",
            "1,000 to 10,000 images: the top block too",
            "partial",
            CAREFUL,
            last_stages=1,
            images=Span(1_000, 10_000),
        ),
        Row("C", "10,000 images or more: full fine-tuning", "full", LOW, images=Span(10_000)),
    ),
)

D = Table(
    "D",
    "by size and similarity",
    (
        Row(
            "D",
            "pets, highly similar: the head, or the top stage too",
            "feature_extraction",
            HEAD,
            or_else=("partial",),
            scenario="pets",
            augment="none",
        ),
        Row("D", "food: the top two or three stages", "partial", UPPER, last_stages=2, scenario="food"),
        Row(
            "D",
            "chest X-rays: most or all layers, small LRs",
            "lp_ft",
            GRADED,
            scenario="chest-xray",
            augment="standard",
        ),
        Row(
            "D",
            "satellite images: all layers, or from scratch",
            "lp_ft",
            DIFFERENTIAL,
            or_else=("scratch",),
            scenario="satellite",
            augment="standard",
        ),
        Row(
            "D",
            "microscopy: all layers, aggressively, after pretraining on the domain where there is one",
            "full",
            DIFFERENTIAL,
            scenario="microscopy",
            augment="standard",
        ),
        Row(
            "D",
            "small and similar: feature extraction",
            "feature_extraction",
            HEAD,
            images=Span(0, LARGE),
            domain="close",
            augment="none",
        ),
        Row(
            "D",
            "small and different: the top layers, carefully",
            "partial",
            CAREFUL,
            last_stages=2,
            images=Span(0, LARGE),
            domain="far",
            augment="standard",
        ),
        Row("D", "large and similar: all layers", "full", DIFFERENTIAL, images=Span(LARGE), domain="close"),
        Row(
            "D",
            "large and different: all layers aggressively, or from scratch",
            "full",
            DIFFERENTIAL,
            or_else=("scratch",),
            images=Span(LARGE),
            domain="far",
            augment="standard",
        ),
    ),
)
