"""The subcommand that predicts videos and images with a trained model."""

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clef.cli.app import RESULTS_PANEL, app
from clef.errors import ClefError
from clef.runtime.gpus import claim_gpus, visible_gpus
from clef.runtime.progress import notice

if TYPE_CHECKING:
    from clef.predict.predict_files import Options
    from clef.predict.table import Layout
    from clef.trained.trained_model import TrainedModel

log = logging.getLogger(__name__)


@app.command(rich_help_panel=RESULTS_PANEL, epilog="Example: clef predict talk.mp4 --run demo --out talk.parquet")
def predict(
    inputs: Annotated[
        list[str], typer.Argument(help="Videos, images, folders or patterns such as '*.mp4'; or a webcam, such as 0.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Table to write, .parquet or .csv; by default the video's name with .parquet.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Name of the run whose model predicts.")] = None,
    model: Annotated[str | None, typer.Option(help="Folder from `clef export`, instead of a run.")] = None,
    seed: Annotated[int | None, typer.Option(help="Use the weights of this seed only.")] = None,
    fold: Annotated[
        str | None, typer.Option(help="Use the weights of this fold only, instead of the average of all folds.")
    ] = None,
    ask: Annotated[
        list[str] | None, typer.Option(help="Also write how well each face fits this sentence; repeat for several.")
    ] = None,
    start: Annotated[float, typer.Option(help="Seconds of each video to skip.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="Second of each video before which to stop.")] = None,
    openface: Annotated[
        bool, typer.Option("--openface", help="Name the columns of a csv file as OpenFace does.")
    ] = False,
    overlay: Annotated[
        Path | None, typer.Option(help="Also write the video (.mp4) or image with boxes and bars.", metavar="FILE")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw the labels over time, .png or .svg.", metavar="FILE")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda if there is a GPU.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of processes that find faces; by default one for each core.")
    ] = None,
    detector_weights: Annotated[
        Path | None, typer.Option(help="Weights of the face detector, if it needs some.", metavar="FILE")
    ] = None,
) -> None:
    """Predict action units or expressions in every frame of videos and images.

    The table has a row for each frame and face. After ctrl-C, run the same command to resume with the next video.
    """
    from clef.predict.inputs import find_recordings
    from clef.predict.output import check_not_inputs, check_output, write_table
    from clef.predict.predict_files import Options, all_rows, predict_files
    from clef.predict.table import Layout
    from clef.predict.workers import available_cores
    from clef.predict.zero_shot import describe_zero_shot
    from clef.runtime.lease import leased
    from clef.trained.load import find_model, load_model

    if (run is None) == (model is None):
        raise ClefError("--run, --model: expected one of them, the name of a run or a folder from `clef export`")
    if device not in (None, "cpu", "cuda"):
        raise ClefError(f"--device: {device}; expected cpu or cuda")
    name = str(run or model)
    _, config = find_model(name, seed, fold)
    layout = Layout.of(config, name, ask or [])
    weights = None if detector_weights is None else str(detector_weights)
    options = Options(available_cores() if workers is None else workers, start, end, weights)
    camera = _camera_number(inputs)
    recordings, problems = ([], []) if camera is not None else find_recordings(inputs)
    if camera is None and not recordings:
        raise ClefError("; ".join(f"{file}: {problem}" for file, problem in problems))
    if camera is not None and (start or end is not None or overlay or plot):
        raise ClefError("--start, --end, --overlay, --plot: not with a webcam; record it first, and predict the video")
    sources = [recording.source for recording in recordings]
    if out is None:
        stem = Path(sources[0]).stem if len(sources) == 1 else "predictions"
        out = Path(f"{stem}.csv" if openface else f"{stem}.parquet")
    check_output(out, openface, layout)
    check_not_inputs({"--out": out, "--overlay": overlay, "--plot": plot}, [*inputs, *sources])
    if overlay is not None:
        from clef.predict.overlay import check_overlay, write_overlay

        check_overlay(overlay, recordings)
    if plot is not None:
        from clef.predict.timeline import check_plot, write_timeline

        check_plot(plot, recordings)
    if device != "cpu" and visible_gpus():
        claim_gpus(1)
    work = out.with_name(f"{out.name}.work")
    with leased(work):
        trained = load_model(name, seed, fold, device)
        if camera is not None:
            _predict_camera(trained, layout, options, camera, out, openface, work / "webcam.arrows")
        else:
            parts, totals = predict_files(trained, layout, recordings, options, work)
            problems += totals.problems
            if totals.frames:  # otherwise, an older table stays
                write_table(all_rows(parts), layout, out, openface)
            for file, problem in problems:
                log.error("%s: %s", file, problem)
            if totals.frames:
                if overlay is not None:
                    write_overlay(overlay, recordings[0], all_rows(parts), layout)
                if plot is not None:
                    write_timeline(plot, all_rows(parts), layout)
                log.info("%s: %s", out, totals)
        shutil.rmtree(work, ignore_errors=True)
    if config.notice:
        notice("%s", config.notice)
    if layout.asked:
        notice("%s", describe_zero_shot(layout.zero_shot, layout.kind))
    if problems:
        raise typer.Exit(1)


def _camera_number(inputs: list[str]) -> int | None:
    if len(inputs) == 1 and inputs[0].isdecimal() and not Path(inputs[0]).exists():
        return int(inputs[0])
    return None


def _predict_camera(
    model: "TrainedModel", layout: "Layout", options: "Options", number: int, out: Path, openface: bool, kept: Path
) -> None:
    """Predict a webcam until ctrl-C. Rows are in the file `kept` until then."""
    from clef.predict.camera import newest_frames, open_camera, predict_camera, stopped_by_interrupt
    from clef.predict.kept_rows import keep_rows, kept_layout, kept_rows
    from clef.predict.output import write_table
    from clef.predict.prepare import prepare

    sentences, settings = prepare(model, layout, options.detector_weights)
    camera = open_camera(number)
    if kept.exists():
        earlier = out.with_stem(f"{out.stem}-interrupted")
        if (earlier_layout := kept_layout(kept)) is None:
            notice("%s: nothing was kept before an interruption", kept)
        else:
            write_table(kept_rows(kept), earlier_layout, earlier)
            notice("%s: what the webcam showed before an interruption", earlier)
    log.info("webcam %d: press ctrl-C to stop", number)
    with stopped_by_interrupt() as stop:
        rows = predict_camera(model, layout, sentences, settings, newest_frames(camera, stop), str(number))
        keep_rows(rows, layout, kept, f"webcam {number}")
    write_table(kept_rows(kept), layout, out, openface)
