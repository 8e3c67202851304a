"""ftcli: fine-tune a pretrained backbone from a recipe; shown before, done exactly, proved after.

What is imported from here is what other programs may rely on; it is fetched when it is first asked for, so that
`import ftcli` costs nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ftcli.api import generate, inspect_freeze, load_recipe, open_model, plan, predict, train
    from ftcli.errors import FtcliError
    from ftcli.findings import Finding
    from ftcli.report.freeze_report import FreezeReport
    from ftcli.workflows.generate import Continuation
    from ftcli.workflows.predict import Prediction
    from ftcli.workflows.result import TrainResult
    from ftcli.workflows.saved_model import SavedModel

__version__ = "0.1.0"

_HOMES = {
    "load_recipe": "ftcli.api",
    "plan": "ftcli.api",
    "train": "ftcli.api",
    "inspect_freeze": "ftcli.api",
    "open_model": "ftcli.api",
    "predict": "ftcli.api",
    "generate": "ftcli.api",
    "Continuation": "ftcli.workflows.generate",
    "Finding": "ftcli.findings",
    "FreezeReport": "ftcli.report.freeze_report",
    "FtcliError": "ftcli.errors",
    "Prediction": "ftcli.workflows.predict",
    "SavedModel": "ftcli.workflows.saved_model",
    "TrainResult": "ftcli.workflows.result",
}

__all__ = [  # noqa: RUF022 - in the order in which one meets them
    "load_recipe",
    "plan",
    "train",
    "inspect_freeze",
    "open_model",
    "predict",
    "generate",
    "Continuation",
    "Finding",
    "FreezeReport",
    "FtcliError",
    "Prediction",
    "SavedModel",
    "TrainResult",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ftcli' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
