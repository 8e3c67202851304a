"""Which adapters the PEFT library puts into a frozen network: asked for by a strategy, found in a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from ftcli.plans.quantised_base import Quantize

Method = Literal["lora", "ia3", "prompt_tuning", "prefix_tuning"]

_OWN = (".lora_", ".ia3_")
"""How PEFT begins the names of what stands beside a module."""


def adapted_modules(names: Iterable[str]) -> tuple[str, ...]:
    """The modules that these parameters of adapters stand beside, each once."""
    return tuple(dict.fromkeys(_module(name) for name in names))


def matches(module: str, name: str) -> bool:
    """Whether a module is meant by a name: its whole one, or the last parts of that, as PEFT has it."""
    return module == name or module.endswith(f".{name}")


def last_words(module: str) -> str:
    """What a module is called in its block: `query`, `mlp.0`."""
    parts = module.split(".")
    start = len(parts) - 1
    while start > 0 and parts[start].isdigit():
        start -= 1
    return ".".join(parts[start:])


def _module(name: str) -> str:
    return min((name.partition(own)[0] for own in _OWN), key=len)


@dataclass(frozen=True)
class Adapters:
    """`settings` are keyword arguments of PEFT's config of that method, the modules apart."""

    method: Method
    settings: Mapping[str, Any]
    targets: tuple[str, ...] | None = None
    """Modules by their whole name or its last parts; None: all that can take one. Once found, whole names alone.
    Virtual tokens stand beside none."""
    from_stage: str | None = None
    """The lowest stage that gets any; None: all but the stem."""
    inputs: tuple[str, ...] = ()
    """IA3: which of the targets are scaled before them, not behind; named as they are."""
    quantize: Quantize | None = None
    """LoRA: in what the frozen linear layers keep their weights; None: as they are."""

    @property
    def virtual_tokens(self) -> int:
        """How many stand before each text; 0 for what stands beside modules."""
        return int(self.settings.get("num_virtual_tokens", 0))

    def at(self, modules: tuple[str, ...]) -> Adapters:
        """The same in these modules and no others."""
        before = tuple(name for name in modules if any(matches(name, word) for word in self.inputs))
        return replace(self, targets=modules, from_stage=None, inputs=before)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Adapters:
        """Raises TypeError or KeyError where they are not those of `to_dict`."""
        if values.get("quantize") not in (None, *get_args(Quantize)):
            raise TypeError(f"weights in {values['quantize']}")
        targets = values["targets"]
        lists = {"targets": None if targets is None else tuple(targets), "inputs": tuple(values["inputs"])}
        return cls(**{**values, **lists})
