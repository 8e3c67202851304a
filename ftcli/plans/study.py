"""Several runs that are compared: which variants, sizes and seeds there are, and what each run came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Literal

LESS_IS_BETTER = ("perplexity",)
"""Of the scores that runs are compared on."""
ALL: Literal["all"] = "all"
Size = int | Literal["all"]
"""Training examples of a run; all: every one that there is."""


@dataclass(frozen=True)
class Variant:
    """One way of training: `overrides` of the study's recipe, as `--set` takes them."""

    name: str
    """For people: `full, lr=1e-4`."""
    slug: str
    """For folders: `full-lr-1e-4`."""
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """A run of a study: a variant on so many training images with a seed."""

    name: str
    """The run's, and its folder's. It names size and seed where they are not the recipe's own, so that a run stays
    what it is when a study grows."""
    variant: str
    size: Size
    seed: int
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """Every variant on every size with every seed. `recipe` is what they have in common, in plain data."""

    name: str
    variants: tuple[Variant, ...]
    sizes: tuple[Size, ...]
    seeds: tuple[int, ...]
    recipe: Mapping[str, Any]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Size by size and seed by seed, so that what variants share is still at hand, and small ones come first."""
        return tuple(
            self._trial(variant, size, seed)
            for size, seed, variant in product(self.sizes, self.seeds, self.variants)
        )

    def _trial(self, variant: Variant, size: Size, seed: int) -> Trial:
        parts = list(self._more(size, seed))
        name = "-".join([variant.slug, *(short for short, _ in parts)])
        return Trial(name, variant.name, size, seed, (*variant.overrides, *(each for _, each in parts)))

    def _more(self, size: Size, seed: int) -> Iterator[tuple[str, str]]:
        """What comes to a variant's name, and to its overrides."""
        if size != own_size(self.recipe):
            value = "null" if size == ALL else size
            yield f"n{size}", f"data.split.train_size={value}"
        if seed != own_seed(self.recipe):
            yield f"seed{seed}", f"seed={seed}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "variants": [
                asdict(variant) | {"overrides": list(variant.overrides)} for variant in self.variants
            ],
            "sizes": list(self.sizes),
            "seeds": list(self.seeds),
            "recipe": dict(self.recipe),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Study:
        """What `to_dict` gave. Raises LookupError, TypeError."""
        variants = [Variant(v["name"], v["slug"], tuple(v["overrides"])) for v in values["variants"]]
        sizes, seeds = tuple(values["sizes"]), tuple(values["seeds"])
        return cls(values["name"], tuple(variants), sizes, seeds, values["recipe"])


@dataclass(frozen=True)
class Failure:
    """Why a run came to nothing: the message of the error, and the exit code that it alone would have had."""

    what: str
    where: str | None
    remedy: str | None
    exit_code: int


@dataclass(frozen=True)
class Outcome:
    """What a run that is complete came to. Counts are None where the run's files do not tell them."""

    run: str
    """Its folder."""
    variant: str
    seed: int
    num_train: int
    pretrained: bool
    trains_backbone: bool
    metric: str
    """The score that its epochs were compared by and gave its verdict: a key of `test`."""
    test: Mapping[str, float | None]
    val: Mapping[str, float | None] | None
    trainable: int | None
    """Parameters that train in the phase where most do."""
    parameters: int | None
    epochs: int
    images_seen: int
    """Training examples, each as often as it was trained on."""
    training_flops: int | None
    """See workflows/compare/training_work."""
    seconds: float
    """Of its epochs, training and validation. What the runs of a study share, and the first of them pays for, is not
    in them: start-up, decoding, audit, the frozen part, the probe for the floor."""
    peak_memory: int | None
    tokens_seen: int | None = None
    """Of the texts that were trained on."""

    @property
    def score(self) -> float:
        """Of its own metric, on the test examples."""
        return self.scored(self.metric)

    @property
    def is_multi_label(self) -> bool:
        """Average precision is measured of such data alone."""
        return self.test.get("mean_average_precision") is not None

    def scored(self, metric: str) -> float:
        """Accuracy where the run has no such score."""
        found = self.test.get(metric)
        return float(self.test["accuracy"] or 0.0) if found is None else float(found)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Finished:
    """A trial and what became of it: one of the two, or neither where it has not been run yet."""

    trial: Trial
    outcome: Outcome | None = None
    failure: Failure | None = None

    @property
    def state(self) -> Literal["done", "failed", "missing"]:
        if self.outcome is not None:
            return "done"
        return "missing" if self.failure is None else "failed"

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.trial.name,
            "variant": self.trial.variant,
            "size": self.trial.size,
            "seed": self.trial.seed,
            "state": self.state,
            "failure": None if self.failure is None else asdict(self.failure),
            "outcome": None if self.outcome is None else self.outcome.to_dict(),
        }


def own_size(recipe: Mapping[str, Any]) -> Size:
    """Of a recipe in plain data, which asks for so many training images or has all."""
    split = recipe.get("data", {}).get("split") or {}
    size: Size = split.get("train_size") or ALL
    return size


def own_seed(recipe: Mapping[str, Any]) -> int | None:
    return recipe.get("seed")
