"""What a trained model needs besides its weights, and what is known about it: `config.json` of an exported model."""

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from clef.errors import ClefError
from clef.params.schema import FinetuneParams, LabelParams, Section

CONFIG = "config.json"


class Member(Section):
    """One trained stage 2. The members of a model differ in seed and fold, and their probabilities are averaged."""

    file: str
    """Weights (safetensors), relative to the folder of the model."""
    sha256: str
    seed: int
    fold: int | Literal["all"]
    """Its test subjects were not seen in training; `all` was trained on every subject."""


class TrainedConfig(Section):
    """A trained model without its weights."""

    format: Literal[1] = 1
    clef: str
    """Version of the package that wrote this."""
    run: str
    dataset: str
    labels: LabelParams
    label_texts: list[tuple[str, str]]
    """Name and description of each label."""
    templates: dict[str, Any]
    """See `clef.model.texts.Templates`."""
    finetune: FinetuneParams
    """Stage 2; its head and matching turn features into probabilities."""
    model: str
    """Name of the open_clip model."""
    image_size: int
    architecture: dict[str, Any]
    """Config of the open_clip model."""
    normalisation: dict[Literal["mean", "std"], list[float]]
    """Of each channel."""
    crop: dict[str, Any]
    """Fingerprint of the crops, see `clef.faces.fingerprint`."""
    thresholds: dict[str, float]
    """Smallest probability at which each action unit counts as present; empty for expressions."""
    tuned: bool = False
    """Whether the thresholds are chosen on held-out training subjects of each member, and averaged."""
    members: list[Member]
    scores: dict[str, dict[str, Any]]
    """Rows of the run's `summary.json` by label, `mean` or accuracies; empty if the run is not finished. No member saw
    the subjects that it was scored on."""
    notice: str | None = None
    """What users must know before they believe a prediction."""

    @classmethod
    def read(cls, folder: Path) -> "TrainedConfig":
        """Read the config of an exported model; raise a ClefError if it is missing or damaged."""
        path = folder / CONFIG
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise ClefError(f"{path}: no such file; expected a folder from `clef export`") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise ClefError(f"{path}: {where}: {first['msg']}; restore the file, or export the model again") from None
        except OSError as error:
            raise ClefError(f"{path}: cannot be read ({error.strerror})") from None

    def to_json(self) -> str:
        """Return the content of `config.json`, which `read` accepts."""
        return self.model_dump_json(indent=2, by_alias=True) + "\n"
