"""timm's record of a model: architecture, source of its weights, preprocessing.

It comes from timm itself (NAME or NAME.TAG), from the hub (hf-hub:OWNER/NAME), from a folder
(local-dir:PATH), or from a saved run, which must open without either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timm
from timm.models import PretrainedCfg, get_pretrained_cfg, load_model_config_from_hf
from timm.models._hub import load_model_config_from_path

from ftcli.errors import ModelError

from ._errors import no_such_model, not_fetched
from ._hub import without_waiting

HUB, FOLDER = "hf-hub:", "local-dir:"


@dataclass(frozen=True)
class Record:
    """`name` is what timm calls the model, `model_args` what its constructor gets besides.

    `weights` says for the user where the default weights are from; None where there are none.
    """

    name: str
    architecture: str
    pretrained: Any
    model_args: Mapping[str, Any]
    weights: str | None

    @property
    def options(self) -> dict[str, Any]:
        """What `timm.create_model(architecture)` needs to make a model that timm does not list."""
        if is_listed(self.name):
            return {}
        return {"pretrained_cfg": self.pretrained.to_dict(), **self.model_args}

    @property
    def config(self) -> dict[str, Any] | None:
        """What `from_config` makes the same record of, without its weights; None where the name suffices."""
        if is_listed(self.name):
            return None
        own = replace(self.pretrained, label_names=None, label_descriptions=None)
        config = {
            "architecture": self.architecture,
            "model_args": dict(self.model_args),
            "pretrained_cfg": own.to_dict(remove_source=True),
        }
        written: dict[str, Any] = json.loads(json.dumps(config))
        return written


def is_listed(name: str) -> bool:
    """Whether it is one of timm's own names, not that of a hub's repository or a folder."""
    return not name.startswith((HUB, FOLDER))


def read_record(name: str) -> Record:
    """Only the configuration is read or downloaded. Raises ModelError for a name that is not to be had."""
    if name.startswith(HUB):
        return _from_hub(name)
    if name.startswith(FOLDER):
        return _from_folder(name)
    architecture = name.partition(".")[0]
    try:
        pretrained = get_pretrained_cfg(name)
    except RuntimeError as error:
        raise no_such_model("timm", name, timm.list_pretrained(f"{architecture}.*")) from error
    if pretrained is None or not timm.is_model(name):
        raise no_such_model("timm", name, timm.list_models())
    weights = f"{architecture}.{pretrained.tag} of timm" if pretrained.has_weights else None
    return Record(name, architecture, pretrained, {}, weights)


def from_config(name: str, config: Mapping[str, Any]) -> Record:
    """The record that `Record.config` was written from."""
    return _record(name, config["pretrained_cfg"], config["architecture"], config["model_args"], None)


def _from_hub(name: str) -> Record:
    repository = name.removeprefix(HUB)
    try:
        with without_waiting():
            pretrained, architecture, model_args = load_model_config_from_hf(repository)
    except KeyError as error:
        raise _not_timms(name) from error
    except Exception as error:  # a download fails in as many ways as there are transports
        raise not_fetched(f"{repository} of the Hugging Face hub", error) from error
    return _record(name, pretrained, architecture, model_args, f"{repository} of the Hugging Face hub")


def _from_folder(name: str) -> Record:
    folder = Path(name.removeprefix(FOLDER))
    try:
        pretrained, architecture, model_args = load_model_config_from_path(folder)
    except OSError as error:
        what = "there is no model of timm in the folder: no config.json"
        raise ModelError(what, where=str(folder), remedy="timm.models.save_for_hf writes one") from error
    except (KeyError, ValueError) as error:
        raise _not_timms(name) from error
    return _record(name, pretrained, architecture, model_args, f"folder {folder.name}")


def _record(
    name: str,
    pretrained: Mapping[str, Any],
    architecture: str,
    model_args: Mapping[str, Any],
    weights: str | None,
) -> Record:
    if not timm.is_model(architecture):
        raise no_such_model("timm", architecture, timm.list_models())
    try:
        return Record(name, architecture, PretrainedCfg(**pretrained), model_args, weights)
    except TypeError as error:
        raise _not_timms(name) from error


def _not_timms(name: str) -> ModelError:
    remedy = "models of transformers are hf/OWNER/NAME"
    return ModelError(f"the config.json of {name} does not describe a model of timm", remedy=remedy)
