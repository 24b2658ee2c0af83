"""One-line messages for invalid params: key, what was found, what was expected."""

from typing import get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from clef.params.did_you_mean import suggestion
from clef.params.schema import Section

KeyPath = tuple[int | str, ...]
"""Keys from the top of the file down to a value."""


def key_path(error: ValidationError, above: KeyPath = ()) -> KeyPath:
    """The key of the first problem; `above` is the key of the section that was validated."""
    return (*above, *error.errors()[0]["loc"])


def explain_error(error: ValidationError, section: type[Section], above: KeyPath = ()) -> str:
    """Describe the first problem in one line. `section` was validated, and its key is `above`."""
    problem = error.errors()[0]
    parts = [str(part) for part in problem["loc"]]
    key = ".".join(map(str, (*above, *parts)))
    if problem["type"] == "extra_forbidden":
        inner: type[Section] | None = section
        for part in parts[:-1]:
            inner = section_of(inner.fields_by_key()[part]) if inner is not None else None
        known = inner.fields_by_key() if inner is not None else []
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


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that a key holds; None if it holds a value."""
    options = (field.annotation, *get_args(field.annotation))
    return next((option for option in options if isinstance(option, type) and issubclass(option, Section)), None)
