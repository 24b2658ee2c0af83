"""The subcommand that explains params files."""

from typing import Annotated

import typer

from clef.cli.app import DATA, app


@app.command(rich_help_panel=DATA, epilog="Example: clef explain finetune.head")
def explain(
    key: Annotated[str, typer.Argument(help="A key or a section, such as `finetune.head` or `crop`.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, as in docs/params.md.")] = False,
) -> None:
    """Explain the keys of a params file, with their values and defaults."""
    from clef.runs.params_reference import as_markdown, as_text, explain

    print(as_markdown(explain(key)) if markdown else as_text(explain(key)), end="")
