"""In which settings runs differ, as they were trained.

The weights' JSON says what a training was given; what it does not say is read from the run's params file, if it is
still there. A stage 1 that a run took from another is that of the other's settings.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clef.comparison.finished import FinishedRun
from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS, Params

ABSENT = "-"

STAGE_1_FOLLOWS_FROM = {*PRETRAIN_SECTIONS, "crop", "seeds"}


@dataclass(frozen=True)
class SettingDifferences:
    """What differs, and what could not be told."""

    values: dict[str, list[str]]
    """Key, such as `finetune.epochs`, to its value in each run; `-` where a run has no such key."""
    notes: list[str]
    """One line each."""


def differing_settings(runs: Sequence[FinishedRun], params_of: Callable[[str], Params | None]) -> SettingDifferences:
    """Compare the settings that decide a result.

    Args:
        runs: Two or more.
        params_of: Params of a run by name; None where there are none any more.
    """
    notes: list[str] = []
    resolved = [_Settings.of(run, params_of) for run in runs]
    for settings in resolved:
        notes += settings.notes
    sections = [name for name in resolved[0].sections if all(name in settings.sections for settings in resolved)]
    flat = [_flat({name: settings.sections[name] for name in sections}) for settings in resolved]
    keys = list(dict.fromkeys(key for values in flat for key in values))
    switched_off = {key for key in keys if any(values.get(key) == "none" for values in flat)}
    differing = {}
    for key in keys:
        values = [of_run.get(key, ABSENT) for of_run in flat]
        inside = any(key.startswith(f"{section}.") for section in switched_off)
        compared = [value for value in values if value != ABSENT] if inside else values
        if len(set(compared)) > 1:
            differing[key] = values
    return SettingDifferences(differing, notes + _unexplained(resolved, differing))


@dataclass(frozen=True)
class _Settings:
    """What is known of one run."""

    sections: dict[str, Any]
    stage1: list[str | None] | None
    """Hash of the stage 1 of each seed and fold; None where unknown."""
    package: str | None
    notes: list[str]

    @classmethod
    def of(cls, run: FinishedRun, params_of: Callable[[str], Params | None]) -> "_Settings":
        name = run.folder.name
        params = params_of(name)
        sections: dict[str, Any] = {}
        notes = []
        if params is None:
            notes.append(f"{run.name}: no params file any more; only what its training recorded is compared.")
        else:
            sections = {key: params.tracked(key) for key in type(params).model_fields}
            del sections["evaluate"]["bootstrap"]
        recorded = [_read(folder / "finetune.json") for folder in run.training_folders()]
        if recorded[0] is not None:
            trained = {key: recorded[0][key] for key in FINETUNE_SECTIONS if key in recorded[0]}
            changed = _changed(trained, sections)
            if changed:
                notes.append(f"{run.name}: its params file has changed since it was trained ({', '.join(changed)}).")
            sections |= trained
            texts = zip(run.labels, recorded[0].get("label_texts", []), strict=False)
            sections["texts of"] = {label: ": ".join(text) for label, text in texts}
            if "templates" in recorded[0]:
                sections["templates"] = recorded[0]["templates"]
        source = params.pretrain.from_ if params is not None and params.pretrain is not None else None
        folder = run.training_folders()[0]
        place = folder if source is None else run.folder.parent / source / folder.relative_to(run.folder)
        stage1 = _read(place / "pretrain.json")
        if source is not None and stage1 is None:  # of another data set, trained on everybody there
            stage1 = _read(place.with_name("foldall") / "pretrain.json")
        if source is not None and stage1 is None and (of_source := params_of(source)) is not None:
            sections["pretrain"] = of_source.tracked("pretrain")
        elif stage1 is not None and (params is None or params.pretrain is not None):
            sections["pretrain"] = stage1["pretrain"]
        sections["seeds"] = run.summary["seeds"]
        if "evaluate" in sections:
            sections["evaluate"] = sections["evaluate"] | {"threshold": run.summary["threshold"]}
        known = all(one is not None for one in recorded)
        return cls(
            sections,
            [one.get("stage1") for one in recorded if one is not None] if known else None,
            None if recorded[0] is None else recorded[0].get("package"),
            notes,
        )


def _unexplained(resolved: list[_Settings], differing: dict[str, list[str]]) -> list[str]:
    """What differs between the runs without a setting that says so."""
    notes = []
    sections = {key.split(".")[0] for key in differing}
    stage1 = [one.stage1 for one in resolved]
    if None not in stage1 and any(hashes != stage1[0] for hashes in stage1) and not sections & STAGE_1_FOLLOWS_FROM:
        notes.append("Their stage 1 is not the same file, though all settings that it follows from are the same.")
    if len({one.package for one in resolved} - {None}) > 1:
        notes.append("The runs were trained with different versions of the package's code.")
    return notes


def _changed(trained: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Keys of the params file whose value is not the one that was trained with."""
    before, after = _flat(trained), _flat({key: now[key] for key in trained if key in now})
    return [key for key in after if before.get(key, ABSENT) != after[key]]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted keys and JSON text; a section itself is `given`, or `none` where switched off."""
    flat = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat[name] = "given"
            flat |= _flat(value, f"{name}.")
        else:
            flat[name] = value if isinstance(value, str) else "none" if value is None else json.dumps(value)
    return flat
