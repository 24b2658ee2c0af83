"""Which means of interruption are tried where."""

from tests.interruption.__main__ import possible, until_it_hits
from tests.interruption.trial import Trial


def test_without_a_disk_to_fill_that_trial_is_skipped_and_says_so(monkeypatch, tmp_path, capsys):
    mount = tmp_path / "mount"
    mount.write_text("#!/bin/sh\nexit 1\n")
    mount.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert possible({"power cut": None, "full disk": None, "ctrl-C": None}) == ["power cut", "ctrl-C"]
    assert "full disk: skipped, only root may mount" in capsys.readouterr().out


def test_a_trial_that_goes_wrong_is_told_and_one_that_came_too_late_repeated():
    well = Trial("ctrl-C", 1, "crop", 1, 2, [])
    outcomes = iter([None, None, well])
    assert until_it_hits("ctrl-C", lambda: next(outcomes)) is well
    wrong = until_it_hits("ctrl-C", lambda: 1 // 0)
    assert wrong.complaints == ["not brought to its end: ZeroDivisionError: integer division or modulo by zero"]
