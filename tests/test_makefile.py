"""The Makefile where the home folder cannot hold caches."""

import os
import subprocess
from pathlib import Path

from tests.mounts import mounted, unwritable

ROOT = Path(__file__).parents[1]
ADVICE = f"cannot write to ~/.cache; before `snakemake`, run: export XDG_CACHE_HOME={ROOT}/.cache\n"


def first_line(target: str = "types", **environment: str) -> str:
    """The first line of a dry run."""
    command, environment = ["make", "-sn", target], {"PATH": os.environ["PATH"], **environment}
    ran = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    assert ran.stderr == ""
    return ran.stdout.splitlines(keepends=True)[0]


def test_caches_stay_where_they_are_writable(tmp_path):
    assert first_line(HOME=str(tmp_path)) != ADVICE
    assert not list((tmp_path / ".cache").iterdir())
    assert first_line(HOME="/dev/null/none", XDG_CACHE_HOME=str(tmp_path)) != ADVICE


def test_the_list_of_targets_tries_no_cache(tmp_path):
    assert first_line("help", HOME=str(tmp_path)) != ADVICE
    assert not list(tmp_path.iterdir())


def test_a_home_folder_that_is_missing_or_unset_moves_the_caches_to_the_checkout():
    assert first_line(HOME="/dev/null/none") == first_line() == ADVICE


def test_a_home_folder_that_is_read_only_or_full_moves_the_caches_to_the_checkout(tmp_path):
    with unwritable(tmp_path / "read-only") as home:
        assert first_line(HOME=str(home)) == ADVICE
    with mounted(tmp_path / "full", "size=4k") as home:
        (home / "file").write_bytes(bytes(4096))
        assert first_line(HOME=str(home)) == ADVICE
