from pathlib import Path

import yaml

from tests.cli.conftest import clef_here as clef_here

ROOT = Path(__file__).parents[2]
BASE = {"dataset": {"adapter": "demo"}, "render": {"kind": "videos"}, "device": "cpu"}
PLUS = BASE | {"dataset": {"adapter": "demo", "name": "plus"}, "render": {"kind": "videos", "seed": 5}}
DISFA = {"dataset": {"adapter": "disfa"}, "labels": {"action_units": [1, 4, 12]}, "pretrain": None}
STILLS = {
    "dataset": {"adapter": "demo_expr", "name": "stills"},
    "render": {"kind": "stills"},
    "labels": {"kind": "expressions", "expressions": ["happiness", "anger"]},
    "folds": {"protocol": "official", "number": 1},
    "pretrain": None,
    "device": "cpu",
}


def write(folder: Path, name: str, **values) -> Path:
    """Write a params file."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
