"""A Recipe as YAML, its defaults written out, that loads back to an equal Recipe."""

from __future__ import annotations

from typing import Any

import yaml

from ftcli.recipe.schema import Recipe
from ftcli.recipe.yaml_source import add_resolvers


def dump_recipe(recipe: Recipe) -> str:
    """YAML for the run folder: what a run used, whatever the defaults become later."""
    data = recipe.model_dump(mode="json")
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))


class _Dumper(yaml.SafeDumper):
    """Quotes whatever this loader or any other YAML 1.1 reader would not take for text."""


def _represent_list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    """In one line, [0.9, 0.999], where no item is a mapping or list."""
    plain = all(not isinstance(item, (dict, list)) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


_Dumper.add_representer(list, _represent_list)
add_resolvers(_Dumper)
