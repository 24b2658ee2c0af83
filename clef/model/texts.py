"""The texts that images are matched with: activities, label names, label descriptions, and their templates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from clef.params.schema import LabelParams, ParamsError, TextParams
from clef.params.strict_yaml import parse_yaml

PACKAGED = Path(__file__).with_name("texts.yaml")


@dataclass(frozen=True)
class LabelTexts:
    """The texts of one label."""

    name: str
    """Such as `inner brow raiser`."""
    description: str
    """A clause that says what is seen."""


@dataclass(frozen=True)
class Templates:
    """Sentences with one `{}` each, where a text goes."""

    name: str
    """For the name of a label."""
    absent: str
    """For the name of an action unit that is absent."""
    descriptions: Sequence[str]
    """For descriptions; one is drawn for each at every step."""


def load_texts(settings: TextParams) -> dict[str, Any]:
    """Read the texts file: the package's own, or the user's.

    Raises:
        ParamsError: No such file, no YAML, or not the expected sections.
    """
    path = _file(settings)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise ParamsError(f"texts.file: {path}: no such file") from None
    except OSError as error:
        raise ParamsError(f"texts.file: {path}: cannot be read ({error.strerror}); expected a texts file") from None
    texts = _parsed(text, path)
    if not isinstance(texts, dict):
        raise ParamsError(f"texts.file: {path}: expected sections activities and labels, as in {PACKAGED.name}")
    missing = {"activities", "labels"} - set(texts)
    if missing:
        raise ParamsError(f"{path}: no section {min(missing)}; expected activities and labels")
    return texts


def _file(settings: TextParams) -> Path:
    return PACKAGED if settings.file is None else Path(settings.file)


@cache
def _parsed(text: bytes, path: Path) -> Any:
    """Once for all runs of a params folder."""
    return parse_yaml(text, path)


def label_templates(settings: TextParams) -> Templates:
    """The templates of names and descriptions; the package's own where the user's file has none.

    Raises:
        ParamsError: One is not as expected.
    """
    where = f"{_file(settings)}: templates"
    found: dict[str, Any] = {}
    for texts in (load_texts(TextParams()), load_texts(settings)):
        own = texts.get("templates") or {}
        if not isinstance(own, dict) or own.keys() - {"name", "absent", "descriptions"}:
            raise ParamsError(f"{where}: expected name, absent and descriptions, found {own!r}")
        found |= own
    descriptions = found["descriptions"]
    if not isinstance(descriptions, list) or not descriptions:
        raise ParamsError(f"{where}.descriptions: expected a list of sentences, found {descriptions!r}")
    for template in (found["name"], found["absent"], *descriptions):
        if not isinstance(template, str) or template.count("{}") != 1:
            raise ParamsError(f"{where}: {template!r}: expected one {{}} where the text goes")
    return Templates(found["name"], found["absent"], descriptions)


def activity_texts(settings: TextParams, activities: Mapping[str, str]) -> dict[str, str]:
    """One description for each activity of a data set, by activity id.

    Args:
        settings: Which file.
        activities: Activity id to the key of its description, as `Dataset.activities`.

    Raises:
        ParamsError: An activity has no description in the file.
    """
    known = load_texts(settings)["activities"]
    missing = [key for key in activities.values() if key not in known]
    if missing:
        raise ParamsError(f"texts: no description of the activity {missing[0]}; add it under `activities:`")
    return {activity: known[key] for activity, key in activities.items()}


def label_texts(settings: TextParams, labels: LabelParams) -> list[LabelTexts]:
    """Name and description of each label of a run, in its order.

    Raises:
        ParamsError: A label has no texts in the file.
    """
    known = load_texts(settings)["labels"]
    missing = [label for label in labels.names if label not in known]
    if missing:
        raise ParamsError(f"texts: no name and description of {missing[0]}; add them under `labels:`")
    return [LabelTexts(**known[label]) for label in labels.names]


def as_recorded(texts: Sequence[LabelTexts], templates: Templates) -> dict[str, Any]:
    """What a training of stage 2 says of its texts, as plain values."""
    return {"label_texts": [[text.name, text.description] for text in texts], "templates": asdict(templates)}


def texts_in_use(settings: TextParams, labels: LabelParams) -> dict[str, Any]:
    """All that a run may say of labels and activities, as plain values: another file may say the same.

    Raises:
        ParamsError: As the functions above.
    """
    recorded = as_recorded(label_texts(settings, labels), label_templates(settings))
    return recorded | {"activities": load_texts(settings)["activities"]}


def fill(template: str, texts: Sequence[str]) -> list[str]:
    """Each text in its template, `a photo of a person with {}`."""
    return [template.replace("{}", text) for text in texts]
