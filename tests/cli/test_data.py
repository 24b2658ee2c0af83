from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from clef.cli.data import ingest
from clef.cli.find_run import settings
from clef.errors import ClefError
from clef.runs.load import load_params

Usage = namedtuple("Usage", "total used free")


def test_ingest_refuses_crops_that_do_not_fit(tmp_path, monkeypatch):
    sequences = [SimpleNamespace(shard=shard, frames=1000) for shard in ("a", "b")]
    inventory = SimpleNamespace(sequences=sequences, report=SimpleNamespace(verdict="usable"))
    monkeypatch.setattr("clef.ingest.inventory.ingest", lambda *_: inventory)
    monkeypatch.setattr(settings, "params_folder", Path(__file__).parents[2] / "params")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(9, 9, 5))
    message = r"the crops of these recordings need at least [\d.]+ MB, the disk has 5 bytes free; free some space"
    with pytest.raises(ClefError, match=message):
        ingest("demo", tmp_path, tmp_path / "sequences.parquet")
    crops = tmp_path / load_params(settings.params_folder / "demo.yaml").crop_digest
    crops.mkdir()
    for shard in ("a", "b"):
        (crops / f"{shard}.arrow").touch()
    ingest("demo", tmp_path, tmp_path / "sequences.parquet")
