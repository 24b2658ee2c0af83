"""Variants of a run, such as `demo@linear` or `demo@linear@labels10`: its params with changes from `variants.yaml`.

They need no params files of their own, so an ablation or a control can be made of any run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from clef.params.did_you_mean import suggestion
from clef.params.schema import ParamsError
from clef.params.strict_yaml import parse_yaml

SEPARATOR = "@"  # not allowed in names of runs
TABLE = Path(__file__).with_name("variants.yaml")
FARL_MODEL = {"name": "ViT-B-16-quickgelu", "image_size": 224, "normalisation": "clip"}


@dataclass(frozen=True)
class Change:
    """A row or a setting."""

    about: str
    stage1: str
    params: Mapping[str, Any]
    weights: Literal["clip", "farl"] | None = None
    """Published weights that a row starts from."""


@dataclass(frozen=True)
class TableRow:
    """A row of a table of variants."""

    row: str
    """Name of the row; `full` is the run itself."""
    parts: str = ""
    """Parts of the method that the row uses, as in the paper."""
    published: Mapping[str, float] = field(default_factory=dict)
    """The paper's result in per cent, by data set."""
    against: str | None = None
    """Another row that it is also compared with."""

    @property
    def about(self) -> str:
        """What the row is."""
        return _table()["rows"][self.row].about


@dataclass(frozen=True)
class VariantTable:
    """Rows that are compared with the first of them, under the params of the run and under each setting."""

    rows: list[TableRow]
    settings: list[str]
    probe: bool = False
    """Whether the features of each row are probed, under the params of the run."""

    def variant(self, run: str, row: TableRow, setting: str | None) -> str:
        """Name of the run of a row under a setting."""
        return str(Variant(run, None if row.row == "full" else row.row, setting))


@dataclass(frozen=True)
class Variant:
    """The name of a run or of a variant, in parts."""

    base: str
    row: str | None = None
    setting: str | None = None

    @classmethod
    def parse(cls, name: str) -> "Variant":
        """Split a name; raise a ParamsError if its row or setting is unknown."""
        base, *parts = name.split(SEPARATOR)
        row = parts.pop(0) if parts and parts[0] in rows() else None
        setting = parts.pop(0) if parts and parts[0] in settings() else None
        if parts and parts[0] in rows() | settings():
            raise ParamsError(f"{name}: expected at most one row, then at most one setting, as in demo@linear@labels10")
        if parts:
            raise ParamsError(f"{name}: no variant {parts[0]}; {suggestion(parts[0], [*rows(), *settings()])}")
        return cls(base, row, setting)

    def __str__(self) -> str:
        return SEPARATOR.join(part for part in (self.base, self.row, self.setting) if part)


def base_of(name: str) -> str:
    """Name of the run that a variant changes, whether or not the variant is known; a run's own name."""
    return name.partition(SEPARATOR)[0]


def rows() -> dict[str, Change]:
    """Rows by name, without that of the run itself."""
    return {name: row for name, row in _table()["rows"].items() if name != "full"}


def settings() -> dict[str, Change]:
    """Settings by name."""
    return _table()["settings"]


def tables() -> dict[str, VariantTable]:
    """Tables by name."""
    return {
        name: VariantTable([TableRow(**row) for row in table["rows"]], table["settings"], table["probe"])
        for name, table in _file()["tables"].items()
    }


def name_pattern(runs: list[str]) -> str:
    """Regular expression of the names of these runs and of all their variants."""
    bases, *parts = ("|".join(map(re.escape, names)) for names in (runs, rows(), settings()))
    return rf"(?:{bases})" + "".join(rf"(?:{SEPARATOR}(?:{part}))?" for part in parts)


def changes_of(variant: Variant, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a variant changes in the params of its run, in the order of application.

    Args:
        variant: The variant.
        values: The params of its run, without defaults.

    Raises:
        ParamsError: The run has no such weights, or no stage 1 that the row could change.
    """
    row = _table()["rows"][variant.row or "full"]
    setting = settings()[variant.setting] if variant.setting else Change("", "shared", {})
    if not variant.row and not variant.setting:
        return []
    stage1 = values.get("pretrain", {})
    if stage1 is None and _needs_stage1(row):
        raise ParamsError(f"{variant}: {variant.base} has no stage 1 to change")
    trained_by = ((stage1 or {}).get("from")) or variant.base
    under = variant.setting if setting.stage1 == "own" else None
    full = str(Variant(trained_by, None, under))
    changes = [_resolve(row.params, full), setting.params, _weights(variant, row, values)]
    if row.stage1 == "none" or stage1 is None:
        return [*changes, {"pretrain": None}]
    own_row = {"own": variant.row, "full": None}.get(row.stage1, row.stage1)
    source = str(Variant(trained_by, own_row, under))
    return changes if source == str(variant) else [*changes, {"pretrain": {"from": source, "also": []}}]


def _needs_stage1(row: Change) -> bool:
    """Whether a row is about stage 1: it trains another one, starts from that of another row, or makes up for it."""
    return row.stage1 in rows() or "pretrain" in row.params or "replaces_stage1_of" in row.params.get("finetune", {})


def _weights(variant: Variant, row: Change, values: Mapping[str, Any]) -> dict[str, Any]:
    if row.weights == "clip" and (values.get("model") or {}).get("pretrained") is None:
        raise ParamsError(f"{variant}: needs weights: {variant.base} trains from scratch; expected model.pretrained")
    if row.weights != "farl":
        return {}
    path = (values.get("ablation") or {}).get("farl")
    if path is None:
        raise ParamsError(f"{variant}: needs weights: {variant.base} has no ablation.farl; expected the file of FaRL")
    if not Path(path).is_file():
        raise ParamsError(f"{variant}: needs weights: ablation.farl: {path}: no such file")
    return {"model": {**FARL_MODEL, "pretrained": path}}


def _resolve(params: Mapping[str, Any], full: str) -> dict[str, Any]:
    """Put the name of the run in place of `@`."""
    return {
        key: _resolve(value, full) if isinstance(value, dict) else full if value == "@" else value
        for key, value in params.items()
    }


@cache
def _table() -> dict[str, dict[str, Change]]:
    return {kind: {name: Change(**values) for name, values in _file()[kind].items()} for kind in ("rows", "settings")}


@cache
def _file() -> dict[str, Any]:
    return parse_yaml(TABLE.read_bytes(), TABLE)
