import datetime
import json
import os
import platform
import re
import shutil
import socket
import time
from html.parser import HTMLParser

import pytest

from clef.evaluation.run.terminal_summary import verdict
from clef.runtime.files import write_text


class Parsed(HTMLParser):
    """Text, links, ids and plots of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.attributes, self.plots = "", [], []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.attributes += attrs
        if tag == "svg":
            self.plots.append(dict(attrs)["aria-label"])

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def sections(page: str) -> list[str]:
    return re.findall(r'<section id="([\w-]+)">', page)


def test_a_page_needs_no_other_file_and_has_all_sections(make_run, tmp_path):
    run = make_run(seeds=2)
    write_text(tmp_path / "data" / "interim" / "bp4d" / "check.txt", "clef check <bp4d>: all as expected\n")
    page = run.write()
    parsed = Parsed(page)
    names = ["results", "precision-recall", "calibration", "spread", "training", "left-out", "repeat"]
    assert sections(page) == names
    links = parsed.values("href")
    assert [link for link in links if link.startswith("#") and link[1:] in names] == [f"#{name}" for name in names]
    assert all(link.startswith(("#", "data:")) for link in [*links, *parsed.values("xlink:href")])
    assert not parsed.values("src")
    assert not re.search(r"<script|url\((?!#)|@import|https?://", page)
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([\w-]+)\)", page)) <= set(ids)
    for text in (verdict(run.summary), "clef check <bp4d>: all as expected", "a" * 40, "m" * 64, "cuda (NVIDIA H200)"):
        assert text in " ".join(parsed.text.split()), text
    assert "crop:\n  detector: none\n" in parsed.text
    assert f"# crops: {run.params.crop_digest}" in parsed.text
    assert "The people in bp4d are drawn by a computer" in parsed.text
    labels = ["AU01", "AU06", "AU12"]
    expected = [f"precision against recall of {label}" for label in labels]
    expected += [f"calibration of {label}" for label in labels]
    expected += [f"scores of {name} by folds, seeds, subjects" for name in (*labels, "mean")]
    assert parsed.plots[1:-2] == expected
    assert parsed.plots[-2:] == ["losses of pretrain", "losses of finetune"]


class Later(datetime.datetime):
    """Dates of another day."""

    @classmethod
    def now(cls, tz=None):
        return cls(2031, 5, 6, 7, 8, 9, tzinfo=tz)

    today = utcnow = now


def test_only_results_change_the_page(make_run, tmp_path, tmp_path_factory, monkeypatch):
    run = make_run(published="bp4d")
    first = run.write()
    tables = {path.name: path.read_bytes() for path in (run.folder / "tables").iterdir()}
    elsewhere, later = tmp_path_factory.mktemp("elsewhere"), time.gmtime(time.time() + 1e8)
    shutil.copytree(tmp_path, elsewhere, dirs_exist_ok=True)
    folder = elsewhere / run.folder.relative_to(tmp_path)
    moved = {elsewhere / path.relative_to(tmp_path): metrics for path, metrics in run.fold_metrics.items()}
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(datetime, "datetime", Later)
    monkeypatch.setattr(datetime, "date", Later)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "gmtime", lambda seconds=None: later)
    monkeypatch.setattr(time, "localtime", lambda seconds=None: later)
    monkeypatch.setattr(time, "strftime", lambda text, when=later: str(when))
    monkeypatch.setattr(socket, "gethostname", lambda: "another-host")
    monkeypatch.setattr(platform, "node", lambda: "another-host")
    monkeypatch.setenv("LOGNAME", "another-user")
    assert run.changed(folder=folder, fold_metrics=moved).write() == first
    assert {path.name: path.read_bytes() for path in (folder / "tables").iterdir()} == tables
    for_papers = {f"{name}.{suffix}" for name in ("summary", "published") for suffix in ("tex", "md")}
    assert set(tables) == {"subjects.csv", "activities.csv", *for_papers}
    assert "secret" not in first, "the host of a training"
    assert not re.search(rf"\b{re.escape(os.uname().nodename)}\b", first), "the host of this test"


def test_the_spread_is_explained_in_sentences_with_spaces_between_them(make_run):
    text = " ".join(make_run(seeds=2).write().split())
    assert (
        "one of the folds or seeds or subjects in per cent: F1. The line is the result of the run. The score of a fold"
        in text
    )
    assert (
        "mean over its seeds. The score of a seed is the mean over its folds. The score of a subject counts its" in text
    )


def test_expressions_have_a_confusion_matrix_and_one_fold_has_no_spread(make_run):
    run = make_run("expressions").changed(stage1=None, rendered=())
    page = run.write()
    names = ["results", "confusion", "precision-recall", "calibration", "training", "left-out", "repeat"]
    assert sections(page) == names
    assert "drawn by a computer" not in page
    matrix = page.split('<table class="confusion">')[1].split("</table>")[0]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in matrix.split("<tbody>")[1].split("</tr>")[:3]]
    counts = next(iter(run.fold_metrics.values()))["confusion"]
    expected = [[f"{100 * n / sum(row):.0f}" if n else "" for n in row] for row in counts]
    assert rows == expected
    assert "losses of pretrain" not in page


def test_leave_one_out_says_that_counts_are_pooled(make_run):
    page = make_run("leave_one_out").write()
    assert "F1 from the counts of all folds together" in page
    assert "scores of AU01 by subjects" in page
    assert len(re.findall("<tr", page.split("Test frames of each fold")[2])) >= 5


def test_a_test_on_another_data_set_names_both(make_run, tmp_path):
    run = make_run()
    run.summary["trained_on"] = "other"
    run = run.changed(rendered=("other", "bp4d"))
    for name in ("other", "bp4d"):
        write_text(tmp_path / "data" / "interim" / name / "check.txt", f"check of {name}\n")
    page = run.write()
    assert "trained on other" in page
    assert "check of other" in page
    assert "check of bp4d" in page
    assert "The people in other and bp4d are drawn" in page


def test_results_alone_give_a_page(make_run):
    """Without weights, losses, crops or predictions, and without intervals."""
    run = make_run()
    for path in run.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    for row in run.summary["rows"].values():
        row.update(ci_low=None, ci_high=None, activity_only=None, f1_field=None, f1_field_max=None)
    for margins in run.summary["margins"].values():
        margins.update({label: [None, None] for label in margins})
    page = run.changed(summary=run.summary | {"bootstrap": 0}).write()
    assert sections(page) == ["results", "precision-recall", "calibration", "spread", "left-out", "repeat"]
    assert "bootstrap intervals" not in page
    assert "optimistic" not in page
    assert "which record commit, data and device, are missing" in page


def test_undefined_scores_and_odd_names_are_shown(make_run):
    run = make_run("expressions")
    summary = renamed(run.summary)
    summary["rows"]["sadness"] = dict.fromkeys(summary["rows"]["sadness"]) | {"frames": 0, "positives": 0}
    page = run.changed(summary=summary, fold_metrics={path: renamed(m) for path, m in run.fold_metrics.items()}).write()
    assert "a <b>" not in page
    assert "a &lt;b&gt; &amp; $c" in page
    assert "not defined" in page


def renamed(values: dict) -> dict:
    return json.loads(json.dumps(values).replace("happiness", "a <b> & $c"))


@pytest.mark.parametrize("kind", ["action_units", "expressions"])
def test_no_picture_but_plots(make_run, kind):
    page = make_run(kind).write()
    assert "<img" not in page
    assert "<image" not in page


def test_the_ablation_and_the_probe_are_shown_if_they_are_of_these_weights(make_run):
    run = make_run(seeds=2)
    headline = run.summary["rows"]["mean"]
    cells = {key: f"{headline[key]:.4f}" for key in ("f1", "ci_low", "ci_high")}
    ablation = (
        "row,about,parts,f1,ci_low,ci_high,difference,difference_low,difference_high,f1_within_activity,note,published\n"
        f"full,full CLEF,PA PI I N D,{cells['f1']},{cells['ci_low']},{cells['ci_high']},,,,0.5000,,0.6590\n"
        "pi-in,names,PI I N,0.4000,0.3100,0.4900,-0.1230,-0.2000,-0.0456,0.3700,,\n"
        "clip-i,,CLIP I,,,,,,,,needs weights: model.pretrained,\n"
    )
    write_text(run.folder / "ablation.csv", ablation)
    for number, metrics in enumerate(run.fold_metrics):
        sidecar = json.loads((metrics.parent / "finetune.json").read_text())
        write_text(metrics.parent / "finetune.json", json.dumps(sidecar | {"sha256": f"weights {number}"}))
        rows = [{"weights": "after stage 2", "identity": 0.25 + 0.1 * (number % 2), "activity": 0.5, "auc": 0.75}]
        write_text(metrics.parent / "probe.json", json.dumps({"stage2": f"weights {number}", "rows": rows}))
    page = run.write()
    names = ["results", "precision-recall", "calibration", "spread", "training", "ablation", "probe"]
    assert sections(page) == [*names, "left-out", "repeat"]
    text = " ".join(Parsed(page).text.split())
    assert "PI I N names 40.0 31.0 - 49.0 37.0 -12.3 -20.0 to -4.6 CLIP I needs weights" in text
    assert "PA PI I N D full CLEF" in text
    assert "after stage 2 30.0 ± 5.8 50.0 ± 0.0 75.0 ± 0.0" in text

    write_text(metrics.parent / "probe.json", json.dumps({"stage2": "other weights", "rows": rows}))
    write_text(run.folder / "ablation.csv", ablation.replace(f"D,{cells['f1']}", "D,0.1234"))
    assert not {"ablation", "probe"} & set(sections(run.write()))
    for damaged in ("", "row\nfull\n", ablation.splitlines()[0]):
        write_text(metrics.parent / "probe.json", damaged)
        write_text(run.folder / "ablation.csv", damaged)
        assert not {"ablation", "probe"} & set(sections(run.write()))
