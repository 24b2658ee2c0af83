"""Predict from Python: `clef.load`."""

import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from clef.errors import ClefError
from clef.predict.inputs import find_recordings
from clef.predict.predict_files import Options, all_rows, predict_files
from clef.predict.table import Layout
from clef.predict.workers import available_cores
from clef.trained.load import load_model


class Predictor:
    """A trained model that predicts videos and images."""

    def __init__(self, name: str | Path, fold: int | str | None, seed: int | None, device: str | None) -> None:
        self.model = load_model(name, seed, fold, device)
        self._name = str(name)
        if self.model.config.notice:
            warnings.warn(f"{name}: {self.model.config.notice}", stacklevel=3)

    @property
    def labels(self) -> list[str]:
        """Names of the labels, such as `AU01`."""
        return self.model.config.labels.names

    def predict(
        self,
        paths: str | Path | Sequence[str | Path],
        ask: str | Sequence[str] = (),
        start: float = 0.0,
        end: float | None = None,
        workers: int | None = None,
        detector_weights: str | Path | None = None,
    ) -> pd.DataFrame:
        """Predict every frame and face of videos and images.

        Args:
            paths: Files, folders or patterns.
            ask: Sentences; the table has a column `ask: SENTENCE` with the cosine of each face and sentence.
            start: Seconds of each video to skip.
            end: Second of each video before which to stop.
            workers: Number of processes, or of threads for a single video; by default one for each core.
            detector_weights: Weights of the face detector, if it needs some.

        Returns:
            The table that docs/predicting.md describes. Files that cannot be read are warnings. If sentences were
            asked, `attrs["zero_shot"]` has the run's figures for sentences that no image was matched with in training,
            or None.

        Raises:
            ClefError: No path leads to a video or an image, an option makes no sense, or a sentence cannot be asked.
        """
        layout = Layout.of(self.model.config, self._name, _listed("ask", ask))
        weights = None if detector_weights is None else str(detector_weights)
        options = Options(available_cores() if workers is None else workers, start, end, weights)
        recordings, problems = find_recordings(_listed("predict", paths))
        if not recordings:
            raise ClefError("; ".join(f"{name}: {problem}" for name, problem in problems) or "predict: no path given")
        with tempfile.TemporaryDirectory(prefix="clef-") as folder:
            parts, totals = predict_files(self.model, layout, recordings, options, Path(folder))
            for name, problem in problems + totals.problems:
                warnings.warn(f"{name}: {problem}", stacklevel=2)
            table = pa.Table.from_batches(all_rows(parts), layout.schema)
        frame = table.to_pandas(types_mapper={pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype()}.get)
        if layout.asked:
            frame.attrs["zero_shot"] = layout.zero_shot
        return frame


def _listed(name: str, value: str | Path | Iterable[str | Path]) -> list[str]:
    items = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    for item in items:
        if not isinstance(item, str | Path):
            raise ClefError(f"{name}: {item!r} is {type(item).__name__}; expected a string, or a list of them")
    return [str(item) for item in items]
