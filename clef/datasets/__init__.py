"""Data set adapters. A module is an adapter if it defines `ADAPTER`, a subclass of `base.Dataset`."""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from pydantic import ValidationError

from clef.params.schema import Params, ParamsError
from clef.params.validation_errors import explain_error

if TYPE_CHECKING:
    from clef.datasets.base import Dataset


def adapters() -> list[str]:
    """Valid values of `dataset.adapter`."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return [name for name in names if hasattr(importlib.import_module(f"{__name__}.{name}"), "ADAPTER")]


def adapter_of(name: str) -> type["Dataset"]:
    """Return the class of an adapter, or raise a `ParamsError` if it is unknown."""
    modules = {module.name for module in pkgutil.iter_modules(__path__)}
    module = importlib.import_module(f"{__name__}.{name}") if name in modules else None
    if not hasattr(module, "ADAPTER"):
        raise ParamsError(f"dataset.adapter: no adapter {name}; expected one of {', '.join(adapters())}")
    return module.ADAPTER  # type: ignore[union-attr]


def open_dataset(params: Params) -> "Dataset":
    """Create the adapter of a run, or raise a `ParamsError` if it, an option or a label is unknown."""
    adapter = adapter_of(params.dataset.adapter)
    voted = bool(adapter.vote_columns)
    if voted != (params.labels.votes is not None):
        has, expected = ("votes", "majority, probability or plurality") if voted else ("no votes", "none")
        raise ParamsError(f"labels.votes: {params.dataset.adapter} has {has}; expected {expected}")
    try:
        dataset = adapter(params)
    except ValidationError as error:
        raise ParamsError(explain_error(error, adapter.Options, ("dataset", "options"))) from None
    zero_shot = params.labels.zero_shot if params.test is None else []
    unknown = [label for label in (*params.labels.names, *zero_shot) if label not in dataset.label_names]
    if unknown:
        raise ParamsError(
            f"labels: {params.dataset.adapter} has no label {unknown[0]}; "
            f"expected some of {', '.join(dataset.label_names)}"
        )
    return dataset
