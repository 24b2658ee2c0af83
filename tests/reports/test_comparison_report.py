import re

from clef.comparison.differences import compare
from clef.comparison.setting_differences import SettingDifferences
from clef.reports.comparison_report import write_comparison

SETTINGS = SettingDifferences({"finetune.epochs": ["8", "<10>"]}, ["other: its params file has changed."])


def rows(page: str, caption: str) -> list[list[str]]:
    """Cells of the rows of a table."""
    table = page.split(caption)[-1].split("</table>")[0].split("<tbody>")[1]
    return [re.findall(r"<t[hd][^>]*>([^<]*)</t", row) for row in table.split("</tr>")[:-1]]


def test_the_page_has_the_values_of_the_comparison(runs, tmp_path):
    comparison = compare(runs, resamples=200)
    write_comparison(tmp_path / "out" / "page.html", runs, comparison, SETTINGS)
    page = (tmp_path / "out" / "page.html").read_text()
    (other,) = comparison.others
    cells = {row[0]: row[1:] for row in rows(page, "chance alone")}
    for label, difference in other.rows.items():
        numbers = [f"{100 * value:.1f}" for value in (difference.first, difference.other)]
        numbers += [f"{100 * value:+.1f}" for value in (difference.difference, difference.low, difference.high)]
        assert cells[label] == [*numbers[:3], f"{numbers[3]} to {numbers[4]}"]
        classes = re.search(rf'<tr class="([^"]*)">\n<th scope="row" class="l">{label}</th>', page)[1]
        assert ("marked" in classes) == difference.excludes_zero
    assert ["first", "40.0", "30.0 - 50.0", "30.0", "60.0"] in rows(page, "Results of each run in per cent, means")
    assert rows(page, "Settings that differ.") == [["finetune.epochs", "8", "&lt;10&gt;"]]
    assert SETTINGS.notes[0] in page
    assert "F1 field (optimistic)" in page
    assert "<strong>optimistic</strong>: the epoch was chosen on the test folds" in page
    assert ">AUs won</th>" in page
    assert page.count("<svg") == 1
    write_comparison(tmp_path / "again.html", runs, comparison, SETTINGS)
    assert (tmp_path / "again.html").read_text() == page


def test_without_intervals_and_differences_of_settings(runs, tmp_path):
    for run in runs:
        del run.summary["rows"]["mean"]["f1_field"]
    write_comparison(tmp_path / "page.html", runs, compare(runs, resamples=0), SettingDifferences({}, []))
    page = (tmp_path / "page.html").read_text()
    assert "No intervals, because --resamples is 0." in page
    assert "No setting differs" in page
    assert "excludes 0" not in page
    assert "optimistic" not in page
