"""The example of docs/index.md, and what it tells a newcomer to try after the demo, run as they are."""

import re
import shlex
import shutil

from tests.cli.conftest import clef_here
from tests.documentation import ROOT, commands
from tests.recordings.sample_recordings import numbered_images, write_video

__all__ = ["clef_here"]

PAGE = ROOT / "docs" / "index.md"


def test_a_newcomer_gets_from_a_video_to_a_page(toy_run, clef_here, tmp_path, monkeypatch, capsys):
    shutil.copytree(toy_run[0], tmp_path / "results" / "demo")
    write_video(tmp_path / "talk.mp4", numbered_images(6))
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    tried = [shlex.split(command) for command in commands(PAGE) if "predictions.parquet" in command]
    assert [words[:2] for words in tried] == [["clef", "predict"], ["clef", "view"]]
    for words in tried:
        done = clef_here(*words[1:], folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert opened == [(tmp_path / "predictions.html").as_uri()]

    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(example, {})
    assert " of 6 frames\n" in capsys.readouterr().out
