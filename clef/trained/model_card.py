"""The model card of an exported run: what it was trained on, how good it is, and what it must not be used for."""

import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from clef import __version__
from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Floats
from clef.evaluation.run.rows import TOTALS
from clef.evaluation.run.summary import OPTIMISTIC
from clef.evaluation.run.terminal_summary import verdict
from clef.params.schema import MODEL_SUFFIXES
from clef.runtime.paths import seed_and_fold
from clef.trained.config import TrainedConfig
from clef.trained.run_members import RENDERED

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
    environment.filters |= {"percent": _percent, "cell": lambda text: str(text).replace("|", "\\|")}
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
        rendered=sidecars[0]["dataset"]["adapter"] in RENDERED and datasets == [config.dataset],
        trained_on=sorted({sum(bool(subject) for _, subject in sidecar["trained_on"]) for sidecar in sidecars}),
        spread=_spread(results, config.labels.names),
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
    is_file = "/" in tag or tag.endswith(MODEL_SUFFIXES)
    return f"a file with the SHA-256 `{sha256}`" if is_file else f"open_clip's `{tag}`"


def _spread(results: Path, labels: list[str]) -> dict[str, Any] | None:
    """Number of test subjects, and quartiles of the F1 of single subjects, lowest first, for each label and `mean`.

    Labels that a subject never shows are left out. Seeds are averaged. None if the folds do not count by subject.
    """
    scores: dict[str, list[Floats]] = {}
    for path in sorted(results.glob(str(seed_and_fold("*", "*") / "metrics.json"))):
        fold = json.loads(path.read_text(encoding="utf-8"))
        if fold["resampled"] != "subjects" or fold["labels"] != labels:
            return None
        units = BootstrapUnits.from_records(fold["resampled"], fold["counts"])
        f1 = np.where(metrics.base_rate(units.counts) > 0, metrics.f1(units.counts), np.nan)  # (subject, label)
        for subject, values in zip(units.names, metrics.with_mean(f1), strict=True):
            scores.setdefault(subject, []).append(values)
    if not scores:
        return None
    subjects = np.stack([metrics.mean_known(np.stack(seeds), axis=0) for seeds in scores.values()])
    return {
        "subjects": len(subjects),
        "quartiles": {
            name: np.percentile(known, QUARTILES).tolist() if len(known := column[~np.isnan(column)]) else None
            for name, column in zip([*labels, "mean"], subjects.T, strict=True)
        },
    }


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
