"""One-line messages for invalid params: key, what was found, what was expected."""

from typing import Any, get_args

from pydantic import ValidationError

from clef.params.schema import Section
from clef.params.suggestion import suggestion

KeyPath = tuple[int | str, ...]
"""Keys from the top of the file down to a value."""


def key_path(error: ValidationError, above: KeyPath = ()) -> KeyPath:
    """The key of the first problem; `above` is the key of the section that was validated."""
    return (*above, *error.errors()[0]["loc"])


def explain_error(error: ValidationError, section: type[Section], above: KeyPath = ()) -> str:
    """Describe the first problem in one line.

    Args:
        error: From validating the section.
        section: What was validated.
        above: Key of the section.
    """
    problem = error.errors()[0]
    parts = [str(part) for part in problem["loc"]]
    key = ".".join(map(str, (*above, *parts)))
    if problem["type"] == "extra_forbidden":
        known = _keys_of(section, parts[:-1])
        return f"{key}: unknown key; {suggestion(parts[-1], known, 'no keys')}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    if problem["type"] == "model_type":
        return f"{key}: expected a section of keys and values, found {problem['input']!r}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(problem["input"], dict | Section):
        return f"{key}: {message}" if key else message
    return f"{key}: {message}, found {problem['input']!r}"


def _keys_of(section: type[Section], parts: list[str]) -> list[str]:
    model: Any = section
    for part in parts:
        field = next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        options = [] if field is None else [field.annotation, *get_args(field.annotation)]
        model = next((o for o in options if isinstance(o, type) and issubclass(o, Section)), None)
        if model is None:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]
