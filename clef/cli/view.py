"""The subcommand that shows predictions with their video."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import RESULTS_PANEL, app
from clef.errors import ClefError

LARGE_PAGE = 200e6  # bytes


@app.command(rich_help_panel=RESULTS_PANEL, epilog="Example: clef view predictions.parquet --open")
def view(
    predictions: Annotated[Path, typer.Argument(help="Table of predictions, .parquet or .csv.")],
    video: Annotated[
        Path | None, typer.Option(help="The video, if it is neither where the table says nor beside the table.")
    ] = None,
    file: Annotated[str | None, typer.Option(help="The video to show, as in the table, if it has several.")] = None,
    out: Annotated[Path | None, typer.Option(help="Page to write; by default the table's name with .html.")] = None,
    size: Annotated[int, typer.Option(help="Longest side of the video in the page, in pixels.", min=16)] = 640,
    video_beside: Annotated[
        bool, typer.Option("--video-beside", help="Write the video beside the page, not into it.")
    ] = False,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
) -> None:
    """Write a page that shows a video with its predictions, frame by frame.

    The page needs no network. It moves thresholds and exports segments as csv.
    """
    from clef.runtime.files import temporary_path
    from clef.runtime.progress import notice, progress
    from clef.viewer.page import write_page
    from clef.viewer.predictions import read_predictions
    from clef.viewer.video import check_same_video, write_copy

    table = read_predictions(predictions, file)
    video = video or _find_video(table.file, predictions)
    total = check_same_video(video, table)
    out = out or predictions.with_suffix(".html")
    webm = out.with_name(f"{out.stem}-view.webm")
    if {out.resolve(), webm.resolve()} & {predictions.resolve(), video.resolve()}:
        raise ClefError(f"{out}: the page would replace an input; choose another name with --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = temporary_path(webm)
    try:
        with progress("frame") as report:
            copy = write_copy(video, table, partial, size, report)
        if video_beside:
            partial.replace(webm)
        write_page(out, table, copy, webm if video_beside else partial, video_beside)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{out}: {copy.frames} frames, {out.stat().st_size / 1e6:.1f} MB")
    if copy.frames < total:
        notice("%s: shows the %d frames in the table; the video has %d", out, copy.frames, total)
    if out.stat().st_size > LARGE_PAGE:
        notice("%s: browsers open pages of this size slowly; try --video-beside or a smaller --size", out)
    if show:
        webbrowser.open(out.resolve().as_uri())


def _find_video(file: str, predictions: Path) -> Path:
    for path in (Path(file), predictions.with_name(Path(file).name)):
        if path.is_file():
            return path
    raise ClefError(f"{file}: no such video, also not beside {predictions}; name it with --video")
