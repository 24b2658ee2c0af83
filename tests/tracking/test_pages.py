"""MLflow's pages in a real browser."""

import json
import urllib.parse
from dataclasses import asdict
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from clef.params.schema import Params
from clef.runs.load import load_params
from clef.runtime.files import write_text
from clef.tracking.hooks import track_summary
from clef.tracking.record import records_below
from clef.tracking.run_description import parent_run
from clef.tracking.store import Store
from clef.tracking.sync import sync_records
from tests.chromium import launch, needs_chromium
from tests.tracking.conftest import ROOT, all_runs, free_port, make_record, pages

pytestmark = [pytest.mark.slow, needs_chromium]

SCORES = {"demo": 0.625, "demo-no-pretrain": 0.621, "demo-linear": 0.66}
SHOWN = ["finetune.head", "pretrain", "pretrain.epochs", "test/f1"]


def make_run(checkout: Path, run: str, f1: float) -> list[Path]:
    """Write a finished and summarized run with the params of its file; returns its records."""
    params = load_params(ROOT / "params" / f"{run}.yaml")
    params = Params.model_validate(params.model_dump(by_alias=True) | {"tracking": {"mlflow": False}})
    record = make_record(checkout, 4, run=run)
    plain = json.loads(record.read_text())
    plain["parent"] = asdict(parent_run(params, run, "m" * 64, {}))
    plain["run"]["experiment"] = params.dataset.name
    record.write_text(json.dumps(plain))
    folder = checkout / "results" / run
    row = {"f1": f1, "ci_low": f1 - 0.1, "ci_high": f1 + 0.1, "f1_field": f1, "auc": 0.8, "floor": 0.4}
    with track_summary(params, folder):
        write_text(folder / "summary.json", json.dumps({"labels": ["AU01"], "rows": {"AU01": row, "mean": row}}))
    return records_below(folder)


def compare_page(checkout: Path) -> str:
    """The page that opens when a user selects the runs and presses Compare."""
    found = all_runs(checkout)
    runs = [found[name].info for name in SCORES]
    ids = {"runs": [run.run_id for run in runs], "experiments": [runs[0].experiment_id]}
    query = {name: json.dumps(values, separators=(",", ":")) for name, values in ids.items()}
    return f"#/compare-runs?{urllib.parse.urlencode(query | {'workflowType': 'machine_learning'})}"


def test_the_comparison_shows_settings_against_f1_without_a_click(checkout):
    for run, f1 in SCORES.items():
        assert sync_records(Store(checkout), make_run(checkout, run, f1))[1] is None
    with pages(checkout, free_port()) as address, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(f"{address}/{compare_page(checkout)}", timeout=600_000)
        plot = page.locator(".js-plotly-plot").first
        plot.locator(".axis-title").first.wait_for(timeout=600_000)
        selected = page.locator("[class$=selection-item-content]").all_text_contents()
        titles = plot.locator(".axis-title").all_text_contents()
        ticks = plot.locator(".axis .tick text").all_text_contents()
        table = page.locator("table").first.inner_text()
        browser.close()
    assert selected == titles == SHOWN
    assert {"text", "linear", "own", "none", "demo"} <= set(ticks)
    assert all(run in table for run in SCORES)
