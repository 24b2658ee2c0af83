"""The model card of an exported run: what it was trained on, how good it is, and what it must not be used for."""

import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from clef import __version__
from clef.datasets import adapter_of
from clef.evaluation.run.fold_metrics import cross_validation
from clef.evaluation.run.rows import TOTALS, percent, row_names
from clef.evaluation.run.spread import spread
from clef.evaluation.run.summary import OPTIMISTIC
from clef.evaluation.run.terminal_summary import verdict
from clef.params.schema import is_weights_path
from clef.runtime.paths import seed_and_fold
from clef.trained.config import TrainedConfig

TEMPLATE = "model_card.md.j2"
QUARTILES = (0, 25, 50, 75, 100)


def model_card(results: Path, config: TrainedConfig, with_onnx: bool) -> str:
    """Write the card of an exported model from the results of its run. Figures that the run does not have are named."""
    summary = _read(results / "summary.json")
    folders = [results / seed_and_fold(member.seed, member.fold) for member in config.members]
    sidecars = [_read(folder / "finetune.json") for folder in folders]
    stage1 = _read(folders[0] / "pretrain.json") if sidecars[0]["stage1"] else sidecars[0]
    datasets = None if stage1 is None else sorted({config.dataset, *(dataset for dataset, _ in stage1["trained_on"])})
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clef.trained"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = lambda value: percent(value) or "-"
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|")
    return environment.get_template(TEMPLATE).render(
        config=config,
        front_matter=yaml.safe_dump(_front_matter(config, summary, with_onnx), sort_keys=False, allow_unicode=True),
        with_onnx=with_onnx,
        version=__version__,
        summary=summary,
        verdict=None if summary is None else verdict(summary),
        optimistic=OPTIMISTIC,
        totals=[name for name in TOTALS if name in config.scores],
        first=sidecars[0],
        pretrained=_pretrained(stage1),
        datasets=datasets,
        rendered=adapter_of(sidecars[0]["dataset"]["adapter"]).rendered and datasets == [config.dataset],
        trained_on=sorted({sum(bool(subject) for _, subject in sidecar["trained_on"]) for sidecar in sidecars}),
        spread=None if summary is None else _spread(results, summary),
        labels=list(zip(config.labels.names, config.label_texts, strict=True)),
    )


def _front_matter(config: TrainedConfig, summary: dict[str, Any] | None, with_onnx: bool) -> dict[str, Any]:
    """The metadata of the Hugging Face hub, without a licence: nothing here knows that of the weights."""
    action_units = config.labels.kind == "action_units"
    task = "facial-action-unit-detection" if action_units else "facial-expression-recognition"
    tags = ["clef", "face", task, *(["onnx"] if with_onnx else [])]
    matter: dict[str, Any] = {"library_name": "clef", "pipeline_tag": "image-classification", "tags": tags}
    named = {"mean": ("f1", "mean F1, strict"), "accuracy": ("accuracy", "accuracy, strict")}
    values = [
        {"type": kind, "name": name, "value": config.scores[row]["f1"]}
        for row, (kind, name) in named.items()
        if config.scores.get(row, {}).get("f1") is not None
    ]
    if summary is not None and values:
        dataset = {"type": summary["dataset"], "name": summary["dataset"]}
        result = {"task": {"type": "image-classification"}, "dataset": dataset, "metrics": values}
        matter["model-index"] = [{"name": config.run, "results": [result]}]
    return matter


def _read(path: Path) -> Any:
    """The content of a JSON file; None if it is missing."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _pretrained(sidecar: dict[str, Any] | None) -> str | None:
    """The tag of the weights that the first stage started from, or the hash of their file; None for random weights."""
    if sidecar is None:
        return "the stage 1 of another run, which this run does not describe"
    tag, sha256 = sidecar["model"]["pretrained"], sidecar.get("pretrained")
    if tag is None:
        return None
    return f"a file with the SHA-256 `{sha256}`" if is_weights_path(tag) else f"open_clip's `{tag}`"


def _spread(results: Path, summary: dict[str, Any]) -> dict[str, Any] | None:
    """Number of test subjects, and quartiles of the scores of single subjects, lowest first, for each row.

    None if the folds do not count by subject, or their metrics are missing.
    """
    folders = [results / seed_and_fold(seed, fold["fold"]) for seed in summary["seeds"] for fold in summary["folds"]]
    fold_metrics = [_read(folder / "metrics.json") for folder in folders]
    if summary["resampled"] != "subjects" or None in fold_metrics:
        return None
    found = spread(cross_validation(fold_metrics), row_names(summary), summary["pooled"])
    quartiles = {}
    for name, column in zip(found.names, found.units.T, strict=True):
        known = column[~np.isnan(column)]
        quartiles[name] = np.percentile(known, QUARTILES).tolist() if len(known) else None
    return {"subjects": len(found.units), "quartiles": quartiles}
