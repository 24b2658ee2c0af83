"""The subcommand that compares the variants of a run: its ablation, and controls."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clef.cli.app import RESULTS_PANEL, JobCommand, app
from clef.cli.find_run import run_params, settings
from clef.cli.options import Out
from clef.errors import ClefError
from clef.runtime.lease import leased
from clef.runtime.paths import fold_folder

if TYPE_CHECKING:
    from clef.params.schema import Params


@app.command(
    cls=JobCommand,
    rich_help_panel=RESULTS_PANEL,
    epilog="Example: clef variants ablation demo --out results/demo/ablation.csv",
)
def variants(
    table: Annotated[
        str, typer.Argument(help="`ablation`, the rows of the paper; or `core`, `controls`, `stage1`, `heads`.")
    ],
    runs: Annotated[list[str], typer.Argument(help="A run; or several that differ in their data, which count as one.")],
    out: Out,
) -> None:
    """Compare the variants of a run, which `snakemake results/RUN/TABLE.csv` trains."""
    from rich.console import Console

    from clef.comparison.variant_results import as_table, format_results, variant_results
    from clef.params.did_you_mean import suggestion
    from clef.plots.variants import write_variants_plot
    from clef.runs.variant_tables import require_full_method, require_other_data
    from clef.runs.variants import tables
    from clef.runtime.files import write_text

    known = tables()
    if table not in known:
        raise ClefError(f"variants: no table {table}; {suggestion(table, known)}")
    for run in runs:
        require_full_method(run, settings.params_folder)
    params = [run_params(run) for run in runs]
    require_other_data(runs, params)
    pooled = params[0].folds.protocol == "leave_one_out" and params[0].test is None
    resamples = params[0].evaluate.bootstrap
    with leased(out):
        results = variant_results(runs, known[table], _scores, published_dataset(params[0]), resamples, pooled)
        text = as_table(results, known[table].settings).to_csv(index=False, float_format="%.4f", lineterminator="\n")
        write_variants_plot(out.parent / "plots", table, " + ".join(runs), results, known[table].settings)
        write_text(out, text)
    for part in format_results(results, known[table].settings):
        Console().print(part)


def published_dataset(params: "Params") -> str | None:
    """The data set with the paper's results, if a run has its folds and its labels."""
    from clef.datasets import open_dataset
    from clef.evaluation.run.published import published_methods, published_protocol

    name = None if params.labels.zero_shot else published_protocol(open_dataset(params))
    methods = [] if name is None else published_methods(name, params.labels.names)
    return name if any({"mean", "accuracy"} & method["values"].keys() for method in methods) else None


def _scores(run: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]] | str:
    """Metrics of every seed and fold of a variant, and probes if all of them have one; or why it cannot be trained."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import make_folds
    from clef.params.schema import ParamsError
    from clef.runs.related_runs import load_run

    try:
        params = load_run(run, settings.params_folder)[run]
    except ParamsError as error:
        return str(error)
    folds = make_folds(open_dataset(params))
    folders = [fold_folder(run, seed, fold.number) for seed in params.seeds for fold in folds]
    metrics, probes = ([folder / name for folder in folders] for name in ("metrics.json", "probe.json"))
    if missing := next((path for path in metrics if not path.exists()), None):
        return f"not trained yet: {missing} is missing"
    found = probes if all(path.exists() for path in probes) else []
    read = [[json.loads(path.read_text(encoding="utf-8")) for path in paths] for paths in (metrics, found)]
    return read[0], read[1]
