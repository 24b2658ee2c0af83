"""The data sets, one module each. A module is an adapter when it defines `ADAPTER`, a subclass of `base.Dataset`."""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from clef.params import ParamsError

if TYPE_CHECKING:
    from clef.datasets.base import Dataset
    from clef.params import Params


def adapters() -> list[str]:
    """Names of the modules that can stand as `dataset.adapter`."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return [name for name in names if hasattr(importlib.import_module(f"{__name__}.{name}"), "ADAPTER")]


def open_dataset(params: "Params") -> "Dataset":
    """The adapter of a run, with its settings.

    Raises:
        ParamsError: No such adapter, or one whose labels are not of the kind that the run wants.
    """
    name = params.dataset.adapter
    if name not in adapters():
        raise ParamsError(f"dataset.adapter: no adapter {name}; expected one of {', '.join(adapters())}")
    adapter: type[Dataset] = importlib.import_module(f"{__name__}.{name}").ADAPTER
    unknown = [label for label in params.labels.names if label not in adapter.label_names]
    if unknown:
        raise ParamsError(
            f"labels: {name} has no label {unknown[0]}; expected some of {', '.join(adapter.label_names)}"
        )
    return adapter(params)
