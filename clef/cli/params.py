"""The subcommand that prints the params of a run."""

from clef.cli.app import DATA, app
from clef.cli.find_run import run_params
from clef.cli.options import Run


@app.command(rich_help_panel=DATA, epilog="Example: clef params demo")
def params(run: Run) -> None:
    """Print the params of a run, including all defaults."""
    import yaml

    resolved = run_params(run)
    print(f"# crops: {resolved.crop_digest}")
    print(yaml.safe_dump(resolved.model_dump(mode="json", by_alias=True), sort_keys=False), end="")
