"""How far answers to sentences can be trusted: the run's figures for sentences that no image was matched with."""

from typing import Any

from clef.trained.config import TrainedConfig

UNKNOWN = "how well this run answers sentences is unknown: no sentence was kept from its training"


def zero_shot_figures(config: TrainedConfig) -> dict[str, Any] | None:
    """Return the AUC of each label's description (`labels`) and their mean (`mean`), 0 to 1; None if it is unknown."""
    figures = {name: config.scores.get(name, {}).get("auc_description") for name in ("mean", *config.labels.names)}
    mean = figures.pop("mean")
    return None if mean is None else {"mean": mean, "labels": {k: v for k, v in figures.items() if v is not None}}


def describe_zero_shot(figures: dict[str, Any] | None, kind: str) -> str:
    """Say in one line what the figures promise for other sentences."""
    if figures is None:
        return UNKNOWN
    ordered = sorted(figures["labels"].items(), key=lambda item: item[1])
    span = " to ".join(f"{name} {100 * auc:.1f}" for name, auc in (*ordered[:1], *ordered[1:][-1:]))
    found = "action unit" if kind == "action_units" else "expression"
    return (
        f"sentences that no image was matched with in training found their {found} with a mean AUC of "
        f"{100 * figures['mean']:.1f} (50 is chance{f'; {span}' if span else ''}); expect no more of yours"
    )
