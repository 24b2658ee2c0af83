"""Which means of interruption are tried where."""

from tests.interruption.__main__ import possible


def test_without_a_disk_to_fill_that_trial_is_skipped_and_says_so(monkeypatch, tmp_path, capsys):
    mount = tmp_path / "mount"
    mount.write_text("#!/bin/sh\nexit 1\n")
    mount.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert possible({"power cut": None, "full disk": None, "ctrl-C": None}) == ["power cut", "ctrl-C"]
    assert "full disk: skipped, only root may mount" in capsys.readouterr().out
