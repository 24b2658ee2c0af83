"""Find the settings in which runs differ, as they were trained.

The JSON beside the weights contains the settings of a training. Other settings are read from the run's params file, if
it still exists. If a run takes stage 1 from another run, stage 1 has the settings of that other run.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clef.comparison.finished_run import FinishedRun
from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS, Params

MISSING = "-"
STAGE_1_SECTIONS = {*PRETRAIN_SECTIONS, "crop", "seeds"}
"""Sections that decide the weights of stage 1."""


@dataclass(frozen=True)
class SettingDifferences:
    """The settings in which runs differ, and what is not known about them."""

    values: dict[str, list[str]]
    """Key, such as `finetune.epochs`, to its value in each run; `-` if a run does not have the key."""
    notes: list[str]


def differing_settings(runs: Sequence[FinishedRun], params_of: Callable[[str], Params | None]) -> SettingDifferences:
    """Compare the settings that influence the results; `params_of` returns the params of a run, or None."""
    notes: list[str] = []
    recorded = [[_read_json(folder / "finetune.json") for folder in run.training_folders()] for run in runs]
    known = [_settings(run, params_of, own[0], notes) for run, own in zip(runs, recorded, strict=True)]
    sections = [name for name in known[0] if all(name in settings for settings in known)]
    flat = [_flatten({name: settings[name] for name in sections}) for settings in known]
    keys = list(dict.fromkeys(key for values in flat for key in values))
    switched_off = tuple(f"{key}." for key in keys if any(values.get(key) == "none" for values in flat))
    differing = {}
    for key in keys:
        values = [settings.get(key, MISSING) for settings in flat]
        # The settings of a section that one run has switched off differ only among the other runs.
        compared = [value for value in values if value != MISSING] if key.startswith(switched_off) else values
        if len(set(compared)) > 1:
            differing[key] = values
    stage1 = [[training.get("stage1") for training in own] for own in recorded]
    explained = STAGE_1_SECTIONS & {key.split(".")[0] for key in differing}
    if all(map(all, recorded)) and any(hashes != stage1[0] for hashes in stage1) and not explained:
        notes.append("They use different files of stage 1, although all settings of stage 1 are the same.")
    if len({own[0].get("package") for own in recorded} - {None}) > 1:
        notes.append("The runs were trained with different versions of the package's code.")
    return SettingDifferences(differing, notes)


def _settings(
    run: FinishedRun, params_of: Callable[[str], Params | None], recorded: dict[str, Any], notes: list[str]
) -> dict[str, Any]:
    """The known settings of a run by section; what is not known is added to `notes`."""
    params = params_of(run.folder.name)
    sections: dict[str, Any] = {}
    if params is None:
        notes.append(f"{run.name}: its params file no longer exists; only recorded settings are compared.")
    else:
        sections = {key: params.tracked(key) for key in type(params).model_fields}
        del sections["evaluate"]["bootstrap"]
        sections["evaluate"]["threshold"] = run.summary["threshold"]
    if recorded:
        trained = {key: recorded[key] for key in FINETUNE_SECTIONS if key in recorded}
        before, now = _flatten(trained), _flatten({key: sections[key] for key in trained if key in sections})
        if changed := [key for key in now if before.get(key, MISSING) != now[key]]:
            notes.append(f"{run.name}: its params file has changed since the training ({', '.join(changed)}).")
        sections |= trained
        sections["texts of"] = dict(zip(run.labels, map(": ".join, recorded["label_texts"]), strict=False))
        sections["templates"] = recorded["templates"]
    source = params.pretrain.from_ if params is not None and params.pretrain is not None else None
    stage1 = _read_stage1(run, source)
    if stage1 and (params is None or params.pretrain is not None):
        sections["pretrain"] = stage1["pretrain"]
    elif source is not None and not stage1 and (source_params := params_of(source)) is not None:
        sections["pretrain"] = source_params.tracked("pretrain")
    return sections | {"seeds": run.summary["seeds"]}


def _read_stage1(run: FinishedRun, source: str | None) -> dict[str, Any]:
    """The JSON beside the stage 1 of a run's first training; `source` is the run that it was taken from."""
    folder = run.training_folders()[0]
    if source is None:
        return _read_json(folder / "pretrain.json")
    folder = run.folder.parent / source / folder.relative_to(run.folder)
    # A stage 1 of another data set has a single fold, trained on all subjects.
    return _read_json(folder / "pretrain.json") or _read_json(folder.with_name("foldall") / "pretrain.json")


def _read_json(path: Path) -> dict[str, Any]:
    """The JSON beside some weights; empty if missing or damaged."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted keys and JSON text; a section itself is `given`, or `none` if it is switched off."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= {name: "given", **_flatten(value, f"{name}.")}
        else:
            flat[name] = value if isinstance(value, str) else "none" if value is None else json.dumps(value)
    return flat
