"""Reference of all params keys, made from the schema: `clef explain` and docs/params.md."""

import importlib
from collections.abc import Iterator
from typing import Any, get_args

import yaml

from clef.datasets import adapters
from clef.errors import ClefError
from clef.params.did_you_mean import suggestion
from clef.params.schema import Params, Section
from clef.params.validation_errors import section_of

Row = tuple[str, str, str, str]
"""Full key, allowed values, default as YAML, meaning."""
Groups = dict[tuple[str, str], list[Row]]
"""Keys by name and meaning of their section."""
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
TYPES = {"integer": "integer", "string": "text", "boolean": "true or false", "object": "keys and values"}


def explain(prefix: str = "") -> Groups:
    """Keys named `prefix` or below it; all by default.

    Raises:
        ClefError: There is no such key.
    """
    groups: Groups = dict(_groups(Params, "", "Top-level keys, which do not belong to a section.", None))
    for name in adapters():
        options = importlib.import_module(f"clef.datasets.{name}").ADAPTER.Options
        for (section, meaning), rows in _groups(options, "dataset.options.", f"With `adapter: {name}`.", None):
            groups[f"{section} of {name}", meaning] = rows
    if not prefix:
        return groups
    found = {group: [row for row in rows if f"{row[0]}.".startswith(f"{prefix}.")] for group, rows in groups.items()}
    if not any(found.values()):
        keys = [row[0] for rows in groups.values() for row in rows]
        same = [key for key in keys if key.rpartition(".")[2] == prefix]
        known = keys if "." in prefix else list(Params.fields_by_key())
        hint = f"did you mean {' or '.join(same)}?" if same else suggestion(prefix, known)
        raise ClefError(f"explain: no key {prefix}; {hint}")
    return {group: rows for group, rows in found.items() if rows}


def as_markdown(groups: Groups) -> str:
    """A heading and a table for each section."""
    lines = []
    for (name, meaning), rows in groups.items():
        lines += [f"## {name or 'The run'}", "", meaning, ""]
        lines += ["| key | values | default | meaning |", "|---|---|---|---|"]
        for key, allowed, default, meaning_of_key in rows:
            cells = (f"`{key}`", allowed, f"`{default}`", meaning_of_key)
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def as_text(groups: Groups) -> str:
    """The keys for a terminal, each with its meaning below it."""
    lines = []
    for (section, about), rows in groups.items():
        lines.append(f"{section or 'the run'}: {about}")
        for key, allowed, default, meaning in rows:
            lines += [f"  {key}: {default}    ({allowed})", f"      {meaning}"]
        lines.append("")
    return "\n".join(lines)


def _groups(section: type[Section], prefix: str, about: str, defaults: Section | None) -> Iterator[Any]:
    """Items of `Groups` for a section and the sections in it. A section may have other defaults in another place."""
    schema = section.model_json_schema(by_alias=True)["properties"]
    rows: list[Row] = []
    inner: list[Any] = []
    for name, field in section.model_fields.items():
        key = field.alias or name
        below = section_of(field)
        if below is None:
            default = field.get_default(call_default_factory=True) if defaults is None else getattr(defaults, name)
            shown = "required" if field.is_required() else _yaml(default)
            rows.append((prefix + key, _allowed(schema[key]), shown, " ".join((field.description or "").split())))
        else:
            text = " ".join((below.__doc__ or "").split())
            if type(None) in get_args(field.annotation):
                by_default = "(the default) " if field.default is None else ""
                text += f" `{prefix}{key}: null` {by_default}disables this section."
            given = field.default if isinstance(field.default, Section) else None
            inner += _groups(below, f"{prefix}{key}.", text, given)
    if rows:
        yield (prefix.removesuffix("."), about), rows
    yield from inner


def _allowed(schema: dict[str, Any]) -> str:
    *most, last = [text for alternative in _alternatives(schema) for text in alternative.split(" or ")]
    return f"{', '.join(most)} or {last}" if most else last


def _alternatives(schema: dict[str, Any]) -> list[str]:
    if "anyOf" in schema:
        return [text for inner in schema["anyOf"] for text in _alternatives(inner)]
    if "const" in schema:
        return [str(schema["const"])]
    if "enum" in schema:
        return [str(value) for value in schema["enum"]]
    if "prefixItems" in schema:
        return [f"{len(schema['prefixItems'])} numbers"]
    if schema.get("type") == "array":
        return [f"list of {_allowed(schema['items']).replace('integer', 'integers').replace('list', 'lists')}"]
    limits = [f"{sign} {schema[name]}" for name, sign in LIMITS.items() if name in schema]
    return [" ".join([TYPES.get(schema["type"], schema["type"]), " and ".join(limits)]).rstrip()]


def _yaml(default: Any) -> str:
    plain = list(default) if isinstance(default, tuple) else default
    return yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")
