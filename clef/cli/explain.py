"""The subcommand that explains params files."""

from typing import Annotated

import typer

from clef.cli.app import DATA, app


@app.command(rich_help_panel=DATA, epilog="Example: clef explain finetune.head")
def explain(
    key: Annotated[str, typer.Argument(help="A key or a section, such as `finetune.head` or `crop`.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, as in docs/params.md.")] = False,
) -> None:
    """Say what the keys of a params file mean, with their values and defaults."""
    from rich.console import Console

    from clef.runs.params_reference import as_markdown, explain, format_groups, stale_as_markdown

    groups = explain(key)
    if markdown:
        print(("" if key else stale_as_markdown()) + as_markdown(groups), end="")
    else:
        Console().print(format_groups(groups))
