"""What each key of a params file means, its type and its default: read from the schema itself."""

import ast
import importlib
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from rich.console import Group as RichGroup
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from clef.datasets import adapters
from clef.errors import ClefError
from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS, Params, Section
from clef.params.suggestion import suggestion


@dataclass(frozen=True)
class Key:
    """One key of a params file."""

    name: str
    """With its sections: `finetune.optimiser.lr_image`."""
    allowed: str
    default: str
    """As YAML; `required` where there is none."""
    meaning: str


@dataclass(frozen=True)
class Group:
    """One section of a params file."""

    name: str
    """Empty for the keys outside any section."""
    meaning: str
    keys: list[Key]


def explain(prefix: str = "") -> list[Group]:
    """The keys whose name is `prefix` or lies below it, by section; all without one.

    Raises:
        ClefError: There is no such key.
    """
    groups = []
    for group in (*_groups(Params, "", "Keys outside any section.", None), *_option_groups()):
        keys = [key for key in group.keys if not prefix or f"{key.name}.".startswith(f"{prefix}.")]
        if keys:
            groups.append(Group(group.name, group.meaning, keys))
    if not groups:
        raise ClefError(f"explain: no key {prefix}; {_suggestion(prefix)}")
    return groups


def _suggestion(wrong: str) -> str:
    """A key of that name elsewhere, the nearest one, or the sections."""
    known = [key.name for group in explain() for key in group.keys]
    same = [name for name in known if name.rpartition(".")[2] == wrong]
    if same:
        return f"did you mean {' or '.join(same)}?"
    sections = [field.alias or name for name, field in Params.model_fields.items()]
    return suggestion(wrong, known) if "." in wrong else suggestion(wrong, sections)


def as_markdown(groups: list[Group]) -> str:
    """A heading and a table for each section."""
    lines = []
    for group in groups:
        lines += [f"## {group.name or 'The run'}", "", group.meaning, ""]
        lines += ["| key | values | default | meaning |", "|---|---|---|---|"]
        for key in group.keys:
            cells = (f"`{key.name}`", key.allowed, f"`{key.default}`", key.meaning)
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def what_goes_stale() -> list[tuple[list[str], str]]:
    """Every section and key outside of them, with what a change of it makes again; by what the rules depend on."""
    both = [name for name in PRETRAIN_SECTIONS if name in FINETUNE_SECTIONS]
    one, two = ([name for name in own if name not in both] for own in (PRETRAIN_SECTIONS, FINETUNE_SECTIONS))
    return [
        (["render"], "the drawn recordings and all that follows"),
        (["ingest"], "the list of recordings, the manifest and all that follows, but no crops"),
        (["crop"], "crops, beside the old ones, and all that follows"),
        (
            ["dataset"],
            "the list of recordings, the manifest and all that follows; crops too, where an option such as "
            "`first_image` says how recordings are read",
        ),
        ([name for name in both if name != "dataset"], "both stages and all that follows"),
        (one, "stage 1 and all that follows"),
        ([*two, "test"], "stage 2 and all that follows"),
        (["tune"], "the inner stage 2 of every fold that it trains, and the scores"),
        (["evaluate.threshold", "evaluate.stride"], "the scores"),
        (["evaluate.bootstrap"], "the summary"),
        (["seeds"], "the trainings of new seeds, and the summary"),
        ([*_operational(Params), "evaluate.batch", "gpus"], "nothing: no result depends on it"),
    ]


def stale_as_markdown() -> str:
    """The same as a section of the page."""
    lines = ["## What a change makes again", "", "| a change of | makes again |", "|---|---|"]
    for names, what in what_goes_stale():
        lines.append(f"| {', '.join(f'`{name}`' for name in names)} | {what} |")
    return "\n".join([*lines, "", ""])


def _operational(section: type[Section], prefix: str = "") -> Iterator[str]:
    """Keys of a section, and of those in it, that change no result."""
    yield from (f"{prefix}{name}" for name in sorted(section.operational))
    for name, field in section.model_fields.items():
        below = _section_of(field)
        if below is not None:
            yield from _operational(below, f"{prefix}{name}.")


def format_groups(groups: list[Group]) -> RichGroup:
    """The same for a terminal: a key with its values, and what it means under it."""
    parts: list[RenderableType] = []
    for group in groups:
        parts.append(Text.assemble((group.name or "the run", "bold"), f"  {group.meaning}"))
        for key in group.keys:
            parts.append(Text.assemble("  ", (key.name, "bold"), f": {key.default}    ({key.allowed})"))
            parts.append(Padding(Text(key.meaning), (0, 0, 0, 6)))
        parts.append(Text())
    return RichGroup(*parts[:-1])


def _groups(section: type[Section], prefix: str, meaning: str, defaults: Section | None) -> Iterator[Group]:
    """A section and, after it, those inside it; the same section can have other defaults in another place."""
    meanings = _meanings(section)
    keys: list[Key] = []
    inner: list[Group] = []
    for name, field in section.model_fields.items():
        full = f"{prefix}{field.alias or name}"
        below = _section_of(field)
        if below is None:
            default = getattr(defaults, name) if defaults is not None else field.get_default(call_default_factory=True)
            allowed = _allowed(field.annotation, field.metadata)
            keys.append(Key(full, allowed, _as_yaml(default), meanings.get(name, "")))
        else:
            own = _meanings(below)[""]
            if type(None) in get_args(field.annotation):
                own += f" `{full}: null` leaves it out" + (", as is the default." if field.default is None else ".")
            inner += _groups(below, f"{full}.", own, field.default if isinstance(field.default, Section) else None)
    if keys:
        yield Group(prefix.removesuffix("."), meaning, keys)
    yield from inner


def _option_groups() -> Iterator[Group]:
    """What each adapter takes as `dataset.options`."""
    for name in adapters():
        options = importlib.import_module(f"clef.datasets.{name}").ADAPTER.Options
        for group in _groups(options, "dataset.options.", f"With `adapter: {name}`.", None):
            yield Group(f"{group.name} of {name}", group.meaning, group.keys)


def _section_of(field: FieldInfo) -> type[Section] | None:
    options = (field.annotation, *get_args(field.annotation))
    return next((option for option in options if isinstance(option, type) and issubclass(option, Section)), None)


def _allowed(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _allowed(inside[0], [bound for info in inside[1:] for bound in getattr(info, "metadata", ())])
    if origin is Literal:
        return " or ".join(map(str, inside))
    if origin in (Union, types.UnionType):
        return " or ".join("null" if option is type(None) else _allowed(option) for option in inside)
    if origin is dict:
        return "keys and values"
    if origin is list:
        return f"{_allowed(inside[0])}, a list"
    if origin is tuple:
        return f"{len(inside)} numbers"
    bounds = {type(bound).__name__: bound for bound in metadata}
    words = {"Ge": ("from", "ge"), "Gt": ("above", "gt"), "Le": ("to", "le"), "Lt": ("below", "lt")}
    limits = [f"{word} {getattr(bounds[kind], at)}" for kind, (word, at) in words.items() if kind in bounds]
    kinds = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return " ".join([kinds.get(annotation, str(annotation)), *limits])


def _as_yaml(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    plain = list(default) if isinstance(default, tuple) else default
    return yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")


def _meanings(section: type[Section]) -> dict[str, str]:
    """Field of a section, inherited ones too, to the text under it; the section's own text under the empty name."""
    bases = [base for base in reversed(section.__mro__) if issubclass(base, Section)]
    return {name: text for base in bases for name, text in _docstrings(base.__module__)[base.__name__].items()}


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Class to its fields to the text under each; the class's own text under the empty name."""
    found = {}
    source = Path(importlib.import_module(module).__file__ or "").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            texts = {"": " ".join((ast.get_docstring(node) or "").split())}
            for statement, after in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(statement, ast.AnnAssign)
                    and isinstance(statement.target, ast.Name)
                    and isinstance(after, ast.Expr)
                    and isinstance(after.value, ast.Constant)
                ):
                    texts[statement.target.id] = " ".join(str(after.value.value).split())
            found[node.name] = texts
    return found
