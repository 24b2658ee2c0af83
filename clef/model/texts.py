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
    """A clause about what the label looks like."""


@dataclass(frozen=True)
class Templates:
    """Sentences in which `{}` stands for a text."""

    name: str
    """For the name of a label."""
    absent: str
    """For the name of an action unit that is absent."""
    descriptions: Sequence[str]
    """For descriptions; each step draws one for each description."""


def load_texts(settings: TextParams) -> dict[str, Any]:
    """Read the texts file of the params, or the packaged one; raise a ParamsError if it is unusable."""
    path = _file(settings)
    try:
        texts = _parse(path.read_bytes(), path)
    except FileNotFoundError:
        raise ParamsError(f"texts.file: {path}: no such file") from None
    except OSError as error:
        raise ParamsError(f"texts.file: {path}: cannot be read ({error.strerror}); expected a texts file") from None
    if not isinstance(texts, dict):
        raise ParamsError(f"texts.file: {path}: expected sections activities and labels, as in {PACKAGED.name}")
    if missing := {"activities", "labels"} - set(texts):
        raise ParamsError(f"{path}: no section {min(missing)}; expected activities and labels")
    return texts


def _file(settings: TextParams) -> Path:
    return PACKAGED if settings.file is None else Path(settings.file)


@cache
def _parse(text: bytes, path: Path) -> Any:
    """Parse once for all runs of a params folder."""
    return parse_yaml(text, path)


def label_templates(settings: TextParams) -> Templates:
    """Return the templates of the texts file, and the packaged ones for those that it lacks."""
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
            raise ParamsError(f"{where}: {template!r}: expected one {{}} in place of the text")
    return Templates(found["name"], found["absent"], descriptions)


def activity_texts(settings: TextParams, activities: Mapping[str, str]) -> dict[str, str]:
    """Return the description of each activity by its id; raise a ParamsError if the file lacks one.

    `activities` maps ids to keys of descriptions, as `Dataset.activities`.
    """
    known = load_texts(settings)["activities"]
    missing = [key for key in activities.values() if key not in known]
    if missing:
        raise ParamsError(f"texts: no description of the activity {missing[0]}; add it under `activities:`")
    return {activity: known[key] for activity, key in activities.items()}


def label_texts(settings: TextParams, labels: LabelParams) -> list[LabelTexts]:
    """Return name and description of each label of a run; raise a ParamsError if the file lacks a label."""
    known = load_texts(settings)["labels"]
    missing = [label for label in labels.names if label not in known]
    if missing:
        raise ParamsError(f"texts: no name and description of {missing[0]}; add them under `labels:`")
    return [LabelTexts(**known[label]) for label in labels.names]


def as_recorded(texts: Sequence[LabelTexts], templates: Templates) -> dict[str, Any]:
    """Return label texts and templates as plain values for a sidecar."""
    return {"label_texts": [[text.name, text.description] for text in texts], "templates": asdict(templates)}


def texts_in_use(settings: TextParams, labels: LabelParams) -> dict[str, Any]:
    """Return all texts that a run may use, as plain values that do not depend on the file's name."""
    recorded = as_recorded(label_texts(settings, labels), label_templates(settings))
    return recorded | {"activities": load_texts(settings)["activities"]}


def fill(template: str, texts: Sequence[str]) -> list[str]:
    """Put each text into a template, such as `a photo of a person with {}`."""
    return [template.replace("{}", text) for text in texts]
