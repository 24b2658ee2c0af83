"""What a user sees in MLflow, in a real browser."""

import json

import pytest

from clef.files import write_text
from clef.params import Params
from clef.tracking.sync import sync
from clef.tracking.tracked import tracked_summary
from tests.tracking.conftest import free_port, make_record
from tests.tracking.pages import CHROMIUM, browser, open_comparison, pages

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]

VARIANTS = {"one": {"epochs": 3}, "two": {"epochs": 5}}


def test_the_compare_view_shows_settings_against_f1_without_a_click(checkout):
    for number, (run, settings) in enumerate(VARIANTS.items()):
        record = make_record(checkout, 4, run=run)
        plain = json.loads(record.read_text())
        plain["parent"]["params"] = {"finetune.epochs": str(settings["epochs"])}
        record.write_text(json.dumps(plain))
        folder = checkout / "results" / run
        params = Params.model_validate(
            {"dataset": {"adapter": "demo"}, "finetune": settings, "tracking": {"mlflow": False}}
        )
        with tracked_summary(params, folder):
            row = {"f1": 0.5 + number / 10, "auc": 0.8}
            write_text(folder / "summary.json", json.dumps({"labels": ["AU01"], "rows": {"AU01": row, "mean": row}}))
    list(sync(checkout / "results", []))
    with pages(checkout, free_port()) as address, browser() as page:
        open_comparison(page, checkout, address, list(VARIANTS))
        shown = page.inner_text("body")
    for text in (*VARIANTS, "finetune.epochs", "test/f1"):
        assert text in shown
