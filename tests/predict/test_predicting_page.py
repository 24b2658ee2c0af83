"""The example and the commands of docs/predicting.md run as they are."""

import re
import shlex
import shutil

import pandas as pd

from tests.documentation import ROOT, commands
from tests.predict.conftest import picture, write_image
from tests.predict.test_predict_command import clef_here
from tests.recordings.sample_recordings import numbered_images, write_video
from tests.trained.conftest import toy_run

__all__ = ["clef_here", "toy_run"]

PAGE = ROOT / "docs" / "predicting.md"


def test_the_page(toy_run, clef_here, tmp_path, monkeypatch, capsys):
    shutil.copytree(toy_run[0], tmp_path / "results" / "demo")
    (tmp_path / "recordings").mkdir()
    (tmp_path / "more").mkdir()
    for name in ("talk.mp4", "recordings/one.mp4", "more/two.mp4"):
        write_video(tmp_path / name, numbered_images(20))
    write_image(tmp_path / "portrait.jpg", picture((20, 20)))

    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(example, {})
    shown = capsys.readouterr().out
    assert shown.startswith("['AU01', 'AU04', 'AU12']\nAU12 is present in ")
    assert " of 20 frames\n" in shown

    for command in commands(PAGE):
        program, *arguments = shlex.split(command)
        assert program == "clef"
        done = clef_here(*arguments, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet("all.parquet")) == 41
    table = pd.read_parquet("talk.parquet")
    assert {"ask: a smile", "ask: a person with raised inner brows"} <= set(table)
    assert list(pd.read_csv("talk.csv"))[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert {"talk-drawn.mp4", "talk.png"} <= {path.name for path in tmp_path.iterdir()}
    documented = set(re.findall(r"`(\w+)`", PAGE.read_text()))
    assert {name for name in table if not name.startswith(("p_", "AU", "ask", "left", "right", "nose"))} <= documented
