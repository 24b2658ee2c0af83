"""The schema of a params file.

One file `params/{run}.yaml` is one run. It holds only what differs from the defaults here. `clef.runs.load` reads the
files. The Snakefile and every subcommand import this module, so it must not import torch or pandas.
"""

import hashlib
import json
import re
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from clef.errors import ClefError

MODEL_SUFFIXES = (".bin", ".npz", ".pt", ".pth", ".safetensors")
"""Suffixes of weights files; no open_clip tag ends with one."""

ACTION_UNITS_BP4D = [1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24]

PRETRAIN_SECTIONS = ("dataset", "texts", "model", "folds", "pretrain", "device", "threads", "deterministic")
"""Sections that stage 1 depends on, besides its input files, seed and fold."""
FINETUNE_SECTIONS = ("dataset", "texts", "model", "folds", "labels", "finetune", "device", "threads", "deterministic")
"""Sections that stage 2 depends on."""

NAME = re.compile(r"\w[\w.+-]*")
"""Names of runs and data sets, which are used in paths and commands."""
ACTION_UNIT = re.compile(r"AU\d\d")
NAME_EXPECTED = "letters, digits and . _ + - only"


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"expected {NAME_EXPECTED}")
    return value


def is_weights_path(pretrained: str) -> bool:
    """Whether `model.pretrained` is the path of a file, and not an open_clip tag, which is used in file names."""
    return "/" in pretrained or pretrained.endswith(MODEL_SUFFIXES)


def _weights(value: str) -> str:
    if not (NAME.fullmatch(value) or is_weights_path(value)):
        raise ValueError(f"expected an open_clip tag ({NAME_EXPECTED}) or the path of a weights file")
    return value


def _normalisation(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Describe all alternatives in one message."""
    try:
        valid = validate(value)
    except ValidationError:
        valid = {}
    if isinstance(valid, dict) and (len(valid) < 2 or min(valid["std"]) == 0):
        names = ", ".join(get_args(PublishedNormalisation))
        raise ValueError(f"expected {names}, or mean and std, each a list of 3 numbers from 0 to 1")
    return valid


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("expected no duplicates")
    return values


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError("expected the smaller number first")
    return limits


Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Limits = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]
Count = Annotated[int, Field(ge=1)]
PublishedNormalisation = Literal["clip", "imagenet", "inception"]
Statistics = dict[Literal["mean", "std"], Annotated[list[Fraction], Field(min_length=3, max_length=3)]]
"""Mean and standard deviation of the red, green and blue channel, for values from 0 to 1."""


def _added(default: Any) -> Any:
    """A key that params files lacked at first. While it has its default, it makes no finished training stale."""
    return Field(default=default, exclude_if=lambda value: value == default)


class ParamsError(ClefError):
    """A params file is invalid. The message is one line with file, key and what was expected."""


class Section(BaseModel):
    """A section of the params file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)

    operational: ClassVar[frozenset[str]] = frozenset()
    """Keys that change how a result is computed but not the result. Changing them makes nothing stale."""

    @classmethod
    def fields_by_key(cls) -> dict[str, FieldInfo]:
        """Fields by their keys in a params file."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @model_validator(mode="before")
    @classmethod
    def _reject_booleans(cls, values: Any) -> Any:
        """YAML reads `yes` and `on` as true, which pydantic would accept as 1."""
        for key, value in values.items() if isinstance(values, dict) else ():
            field = cls.fields_by_key().get(key)
            allowed = () if field is None else (field.annotation, *get_args(field.annotation))
            if isinstance(value, bool) and field is not None and bool not in allowed:
                raise ValueError(
                    f"{key} is {str(value).lower()}; expected a number or text "
                    "(YAML reads yes, no, on and off as true and false; put text in quotes)"
                )
        return values


class DatasetParams(Section):
    """The recordings of the run and their folder."""

    adapter: str
    """Module of `clef.datasets` for the data set."""
    name: Annotated[str, AfterValidator(_name)] = ""
    """Folder in data/raw, data/interim and data/processed; the adapter's name by default."""
    options: dict[str, Any] = Field(default_factory=dict, exclude_if=lambda options: not options)
    """Options of the adapter, such as the camera; `clef explain dataset.options` lists them."""

    @model_validator(mode="before")
    @classmethod
    def _name_after_adapter(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("name"):
            return {**values, "name": values.get("adapter", "")}
        return values


class RenderParams(Section):
    """Settings of `clef render-demo`, used only for demo data sets."""

    kind: Literal["videos", "stills"] = "videos"
    """`videos` with action units, or `stills` with expressions."""
    seed: int = 0
    """A different seed gives different subjects."""
    size: Annotated[int, Field(ge=160, multiple_of=2)] = 320
    """Height and width of a frame in pixels."""
    subjects: Annotated[int, Field(ge=2)] = 18
    """Number of subjects (videos)."""
    activities: Annotated[int, Field(ge=2, le=6)] = 6
    """Activities of each subject (videos)."""
    seconds: Limits = (6.0, 8.0)
    """Shortest and longest clip, in seconds."""
    labelled_share: Fraction = 0.45
    """Fraction of each clip that has AU labels; the labelled frames are contiguous, as in BP4D."""
    train_images: Count = 1400
    """Images of the training split (stills)."""
    test_images: Count = 350
    """Images of the test split (stills)."""


class IngestParams(Section):
    """How raw recordings and labels are read."""

    max_bad: Fraction = 0.02
    """Largest allowed fraction of unreadable recordings, of undecodable frames, and of recordings or images without
    labels; more is an error."""
    frames_past_end: Annotated[int, Field(ge=0)] = 0
    """Number of labelled frames allowed past the end of a video, because decoders may differ by a frame. They count as
    undecodable."""


class CropParams(Section):
    """How faces are found and cropped. The folder of the crops is named after a digest of this section."""

    detector: Literal["mtcnn", "lbp", "yunet", "retinaface", "none"] = "mtcnn"
    """Face detector; `none` for images that are already cropped."""
    weights: str | None = None
    """Weights file of `yunet` or `retinaface`; the others need none."""
    score: Fraction = 0.7
    """Minimum detection score."""
    every: Count = 1
    """Detect in every n-th frame; boxes in between are tracked."""
    bridge: Annotated[int, Field(ge=0)] = 12
    """Longest gap between two detections that tracking fills, in frames."""
    face: Literal["largest", "central"] = "largest"
    """Which face to use if there are several. Through a recording, one person is followed: the one with the largest sum
    of box areas, or the one nearest to the centre on average."""
    align: Literal["eyes", "box"] = "eyes"
    """`eyes`: similarity transform to fixed eye positions, if the detector gives landmarks; `box`: square box,
    which leaves a face that lies on its side as it is."""
    margin: NonNegative = 0.2
    """Margin added around the box, as a fraction of its side (`box`)."""
    size: Annotated[int, Field(ge=32)] = 256
    """Height and width of a crop in pixels; a little more than the model's input, so that augmentation can shift it."""
    smooth: NonNegative = 0.0
    """Standard deviation, in frames, of the Gaussian that smooths boxes and landmarks over time; 0 for none."""
    quality: Annotated[int, Field(ge=50, le=100)] = 95
    """JPEG quality of the stored crops."""
    detect_size: Count = 640
    """Longest side, in pixels, of the image given to the detector; larger frames are shrunk for detection only."""
    batch: Count = 16
    """Frames per detector call."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device for `retinaface`."""
    threads: Count = 1
    """Threads per cropping process, which decode, detect and encode at the same time. The crops do not depend on it."""

    operational = frozenset({"batch", "threads"})


class LabelParams(Section):
    """What is predicted. The manifest holds raw codes; these settings apply when a run reads it."""

    kind: Literal["action_units", "expressions"] = "action_units"
    """Any number of action units at once, or exactly one expression."""
    action_units: list[int] = ACTION_UNITS_BP4D
    """Action units, by their numbers in the Facial Action Coding System."""
    threshold: Annotated[int, Field(ge=1, le=5)] = 1
    """Smallest raw code that counts as present: 1 for occurrence codes, 2 for DISFA's intensities."""
    expressions: list[str] = []
    """Names of the classes, as in the texts file; images of other classes are left out."""
    votes: Literal["majority", "probability", "plurality"] | None = Field(
        default=None, exclude_if=lambda votes: votes is None
    )
    """How annotators' votes become labels (FER+): `majority`: the class with more than half of the votes;
    `probability`: train on the fractions of votes and test by majority; `plurality`: the class with the most votes.
    null if the data set provides classes."""
    zero_shot: Annotated[list[str], AfterValidator(_distinct)] = _added([])
    """Labels that stage 2 is not trained on, such as [AU06, AU12] or [happiness, fear]. They are tested in place of the
    others, and predicted from their texts alone."""

    @model_validator(mode="after")
    def _check_names(self) -> "LabelParams":
        if self.votes is not None and self.kind != "expressions":
            raise ValueError("votes need kind expressions; leave them out")
        if len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise ValueError(f"expected two or more distinct {self.kind}, got {self.names}")
        if trained := set(self.zero_shot) & set(self.names):
            raise ValueError(f"zero_shot: {min(trained)} is trained on; take it out of {self.kind}")
        action_units = [label for label in self.zero_shot if ACTION_UNIT.fullmatch(label)]
        if action_units and len(action_units) < len(self.zero_shot):
            raise ValueError("zero_shot: expected action units, such as AU06, or expressions, not both")
        if len(self.zero_shot) == 1 and not action_units:
            raise ValueError("zero_shot: expected two or more expressions to choose from")
        return self

    @property
    def tested(self) -> "LabelParams":
        """The labels that are tested: those of `zero_shot` if there are any."""
        if not self.zero_shot:
            return self
        if ACTION_UNIT.fullmatch(self.zero_shot[0]):
            numbers = [int(label.removeprefix("AU")) for label in self.zero_shot]
            new: dict[str, Any] = {"kind": "action_units", "action_units": numbers}
        else:
            new = {"kind": "expressions", "expressions": self.zero_shot}
        return self.model_copy(update={**new, "zero_shot": []})

    @property
    def names(self) -> list[str]:
        """Names of the label columns in order, such as `AU01`."""
        if self.kind == "action_units":
            return [f"AU{number:02d}" for number in self.action_units]
        return list(self.expressions)


class FoldParams(Section):
    """How subjects are split into folds."""

    protocol: Literal["subjects", "standard", "leave_one_out", "given", "official"] = "subjects"
    """`subjects`: random folds of subjects; `standard`: published folds, see `partition`; `leave_one_out`: one fold per
    subject, with F1 computed from the pooled counts of all folds; `given`: the folds in `test_subjects`; `official`:
    the train and test split of the data set as the only fold."""
    number: Annotated[int, Field(ge=1)] | None = Field(default=3, exclude_if=lambda number: number is None)
    """Number of folds; if `partition` or `test_subjects` is given, it determines the number."""
    seed: int = 0
    """Seed of the random folds (`subjects`)."""
    test_subjects: list[list[str]] | None = Field(default=None, exclude_if=lambda given: given is None)
    """Test subjects of each fold (`given`), such as [[F001, M003], [F002]]; a fold trains on all others. Every subject
    of the data set must be in exactly one fold."""
    partition: str | None = Field(default=None, exclude_if=lambda name: name is None)
    """Name of the published folds (`standard`); null for the usual ones. `clef folds RUN` shows them."""
    activities: Literal["seen", "unseen"] = _added("seen")
    """`unseen`: activities are split into as many parts as there are folds. Both stages of a fold leave one part out,
    and its test subjects are tested in that part only."""

    @model_validator(mode="before")
    @classmethod
    def _fill_number(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("number") is not None:
            return values
        given, by_protocol = values.get("test_subjects"), {"standard": None, "leave_one_out": None, "official": 1}
        number = len(given) if isinstance(given, list) else by_protocol.get(str(values.get("protocol")), 3)
        return {**values, "number": number}

    @field_validator("test_subjects", mode="before")
    @classmethod
    def _reject_numbers(cls, given: Any) -> Any:
        folds = [fold for fold in given if isinstance(fold, list)] if isinstance(given, list) else []
        for subject in (subject for fold in folds for subject in fold):
            if not isinstance(subject, str):
                raise ValueError(f"subject {subject!r} is not text; put names of digits in quotes")
        return given

    @model_validator(mode="after")
    def _check_protocol(self) -> "FoldParams":
        if self.protocol in ("standard", "leave_one_out"):
            if self.number is not None:
                raise ValueError(f"protocol {self.protocol} determines the number of folds; leave number out, or null")
        elif self.protocol == "official":
            if self.number != 1:
                raise ValueError("number must be 1 with protocol official")
        elif self.number is None or self.number < 2:
            raise ValueError(f"number must be 2 or more with protocol {self.protocol}")
        if self.activities == "unseen" and self.protocol in ("official", "leave_one_out"):
            raise ValueError(f"activities: unseen needs folds of several subjects, not protocol {self.protocol}")
        if self.partition is not None and self.protocol != "standard":
            raise ValueError("partition needs protocol standard; leave it out, or null")
        if (self.protocol == "given") != (self.test_subjects is not None):
            raise ValueError("protocol given and test_subjects need each other; give both or neither")
        if self.test_subjects is not None and len(self.test_subjects) != self.number:
            raise ValueError(
                f"number is {self.number}, test_subjects has {len(self.test_subjects)} folds; leave number out"
            )
        return self


class TestParams(Section):
    """Test on another data set. Each seed is trained on all subjects; this single fold is named `all`."""

    run: str
    """A run on that data set, with the same crop settings. All its subjects are tested, using its label threshold."""


class TextParams(Section):
    """The texts that images are matched with."""

    file: str | None = None
    """A YAML file of activities, labels and templates; null for `clef/model/texts.yaml`."""


class ModelParams(Section):
    """The open_clip model of both stages."""

    name: Annotated[str, AfterValidator(_name)] = "ViT-B-16-quickgelu"
    """An open_clip model name, or one of `clef/model/configs/`."""
    pretrained: Annotated[str, AfterValidator(_weights)] | None = None
    """An open_clip pretrained tag, or a path to weights; null trains from scratch."""
    normalisation: Annotated[PublishedNormalisation | Statistics | None, WrapValidator(_normalisation)] = Field(
        default=None, exclude_if=lambda given: given is None
    )
    """Mean and standard deviation of the images that `pretrained` was trained with, if it is a file that does not say:
    a published pair, or {mean: [...], std: [...]} per channel. A tag, and a file with its `open_clip_config.json`,
    need none."""
    image_size: Annotated[int, Field(ge=32)] = 224
    """Height and width of the model's input in pixels."""

    @model_validator(mode="after")
    def _check_normalisation(self) -> "ModelParams":
        if self.normalisation is not None and self.pretrained is None:
            raise ValueError("normalisation needs pretrained; leave it out")
        return self

    @property
    def takes(self) -> dict[str, Any]:
        """What weights and model must have in common to fit."""
        return {"name": self.name, "image_size": self.image_size}


class AugmentParams(Section):
    """Random changes to training images."""

    rotation: NonNegative = 20.0
    """Largest rotation in degrees, in either direction."""
    scale: Limits = (0.6, 1.0)
    """Smallest and largest fraction of the crop's area that is used."""
    shift: Fraction = 1.0
    """Largest shift of the sampled square from the centre, as a fraction of the margin that remains around it."""
    flip: Fraction = 0.5
    """Probability of a horizontal flip."""
    brightness: NonNegative = 0.2
    """Largest relative change in brightness."""
    contrast: NonNegative = 0.2
    """Largest relative change in contrast."""
    saturation: NonNegative = 0.2
    """Largest relative change in saturation."""
    grey: Fraction = 0.1
    """Probability of conversion to greyscale."""
    blur: Fraction = 0.1
    """Probability of a Gaussian blur."""


class OptimiserParams(Section):
    """AdamW with a cosine schedule and linear warm-up."""

    lr_image: NonNegative = 1e-5
    """Learning rate of the image tower."""
    lr_text: NonNegative = 1e-6
    """Learning rate of the text tower; lower than the image tower's, because the features of a handful of texts
    collapse quickly."""
    lr_head: NonNegative = 1e-3
    """Learning rate of the linear head, the logit scale and the biases."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor that reduces the learning rate from each block of the image tower to the one before it."""
    weight_decay: NonNegative = 0.05
    """Weight decay of all weights with two or more dimensions."""
    warmup: Fraction = 0.1
    """Fraction of all steps spent on warm-up."""
    clip_gradient: Positive = 1.0
    """Gradients are clipped to this norm."""


class CheckpointParams(Section):
    """When a training job writes the recovery checkpoint from which it resumes."""

    every_seconds: Positive = 300.0
    """Seconds between checkpoints; a killed training job loses at most this much time."""
    every_steps: Count | None = None
    """Also write a checkpoint every time this many steps have passed."""


class TowerParams(Section):
    """How the image tower of a training uses memory and time.

    This changes at most the last bits of a result, and with `compile` on a GPU the rounding of bfloat16.
    """

    gradient_checkpointing: bool | Literal["auto"] = "auto"
    """Compute activations again for the gradient, instead of keeping them: less memory, more time. `auto`: if a step
    does not fit into the GPU's memory otherwise. Not for towers with batch norm."""
    compile: bool | Literal["auto"] = "auto"
    """Compile the tower with torch.compile, which takes a minute. `auto`: on a GPU where it works, in a training of
    1,000 steps or more that need not be deterministic."""
    images_at_once: Count | None = None
    """Pass larger batches through the tower in parts of this size, and compute the activations of one part at a time
    again for the gradient. The losses are those of the whole batch, so a contrastive batch may have any size. Not for
    towers with batch norm, whose statistics need the whole batch."""


class PretrainParams(Section):
    """Stage 1: contrastive training with the activity as a weak label."""

    from_: str | None = Field(default=None, alias="from")
    """Name of a run whose stage 1 is reused for each seed and fold, instead of training a new one."""
    also: Annotated[list[str], AfterValidator(_distinct)] = []
    """Runs on other data sets with activities. All their subjects take part in stage 1."""
    image_image: NonNegative = 1.0
    """Weight of the supervised contrastive loss between views; 0 turns it off."""
    image_text: NonNegative = 1.0
    """Weight of the loss between images and activity texts; 0 turns it off."""
    positives: Literal["activity", "subject", "instance"] = _added("activity")
    """Which images the image-image loss pulls together. `activity`: the method; `subject` and `instance`, where only
    the two views of an image belong together, are controls."""
    permute_activities: bool = _added(False)
    """Control: swap the activities of each subject's clips at random, so that an activity means nothing across
    subjects."""
    temperature: Positive = 0.1
    """Temperature of the image-image loss."""
    logit_scale: Positive = 14.285714285714286
    """Initial value of the learned scale of the image-text loss, 1 / 0.07 as in CLIP."""
    batches: Literal["crossed", "random"] = _added("crossed")
    """`crossed`: several subjects in the same activities; `random`: a control with as many frames drawn at random."""
    subjects: Annotated[int, Field(ge=2)] = 16
    """Subjects in a batch."""
    activities: Annotated[int, Field(ge=2)] = 8
    """Activities of each subject in a batch."""
    frames: Annotated[int, Field(ge=1, le=2)] = 2
    """Frames of each clip in a batch, half a clip apart."""
    stride: Count = 5
    """Use every n-th frame of a clip."""
    epochs: Positive = 5.0
    """Passes over the frames."""
    augment: AugmentParams = AugmentParams()
    optimiser: OptimiserParams = OptimiserParams()
    checkpoint: CheckpointParams = CheckpointParams()
    tower: TowerParams = TowerParams()
    workers: Annotated[int, Field(ge=0)] = 0
    """Threads that load the next batches: they decode crops, and without a GPU also augment them. 0: the training loads
    each batch when it needs it."""

    operational = frozenset({"workers", "checkpoint", "tower"})

    @model_validator(mode="after")
    def _check_combinations(self) -> "PretrainParams":
        if self.image_image == 0 and self.image_text == 0:
            raise ValueError("image_image and image_text are both 0; for a run without stage 1 use `pretrain: null`")
        if self.from_ is not None and self.also:
            raise ValueError("from and also exclude each other: from uses the stage 1 of another run; leave one out")
        return self


class FinetuneParams(Section):
    """Stage 2: match images with the texts of the labels."""

    head: Literal["text", "linear", "vectors"] = "text"
    """`text`: cosine similarity to the label texts; `linear`: a linear classifier on the image features; `vectors`: a
    control with a free vector for each label in place of its text."""
    image_norm: Literal["unit", "standardised", "none"] | None = _added(None)
    """How image features are scaled for the head. `unit`: to length 1, as in CLIP, which makes similarities cosines
    (the default of `text` and `vectors`); `standardised`: each feature to mean 0 and variance 1, by batch norm, so that
    those with a small variance count too (the default of `linear`); `none`: not at all (`linear` only)."""
    matching: Literal["sigmoid", "pair"] = "sigmoid"
    """For action units. `sigmoid`: sigmoid of scale times cosine plus bias; `pair`: softmax over a text for "present"
    and one for "absent"."""
    image_names: NonNegative = 1.0
    """Weight of the loss between images and label names (`text`)."""
    names_descriptions: NonNegative = 1.0
    """Weight of the loss between label names and their descriptions (`text`)."""
    image_descriptions: NonNegative = 0.0
    """Weight of the loss between images and descriptions (`text`); row I + D of the paper."""
    label_weight: Literal["inverse", "none"] = "inverse"
    """`inverse`: rare action units get larger weights, normalised so that they average 1."""
    positive_weight: Literal["none", "inverse"] = _added("none")
    """`inverse`: frames with an action unit count as much as those without, label by label."""
    bias: Literal["zero", "rates"] = _added("zero")
    """Initial bias of each action unit: 0, or the logit of its rate in the training frames (`text`, `vectors`)."""
    balance: Literal["none", "classes"] = "none"
    """`classes`: sample every expression equally often; an image with votes for several counts as the expression
    with the most votes."""
    logit_scale: Positive = 14.285714285714286
    """Initial value of the learned scale of the cosines, 1 / 0.07 as in CLIP."""
    freeze_image: bool = False
    """Train only the head, on fixed image features."""
    freeze_text: bool = _added(False)
    """Leave the text tower as it is (`text`)."""
    label_share: Annotated[float, Field(gt=0, le=1)] = _added(1.0)
    """Share of the labelled training frames, or subjects, whose labels are used; smaller shares are subsets of larger
    ones."""
    label_share_of: Literal["frames", "subjects"] = _added("frames")
    """Whether `label_share` draws single frames or whole subjects."""
    replaces_stage1_of: str | None = _added(None)
    """A run over the same data set whose stage 1 this run does without: stage 2 trains longer, until as many images
    have passed as in both stages of that run, rounded to whole epochs. Both views of an image in stage 1 count. A run
    with `pretrain.also` is refused, since stage 2 does not have its images."""
    augment: AugmentParams = AugmentParams(scale=(0.8, 1.0), rotation=10.0)
    optimiser: OptimiserParams = OptimiserParams(layer_decay=0.7)
    checkpoint: CheckpointParams = CheckpointParams()
    tower: TowerParams = TowerParams()
    batch: Count = 64
    """Frames per step."""
    stride: Count = 1
    """Use every n-th labelled frame of a clip."""
    epochs: Count = 10
    """Passes over the frames; the weights after the last pass are evaluated."""
    test_epochs: Literal["all", "last"] = _added("all")
    """After which epochs the test frames are predicted. `all` shows what choosing an epoch on the test fold would gain
    (`f1_field`); `last` saves the time, and leaves `f1_field` and `f1_field_max` empty."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Threads that load the next batches, in training and prediction."""

    operational = frozenset({"workers", "checkpoint", "tower"})

    @property
    def norm(self) -> Literal["unit", "standardised", "none"]:
        """How image features are scaled, with the default of the head."""
        return self.image_norm or ("standardised" if self.head == "linear" else "unit")

    @model_validator(mode="after")
    def _check_head(self) -> "FinetuneParams":
        if self.head == "text" and self.image_names == 0 and self.image_descriptions == 0:
            raise ValueError("image_names and image_descriptions are both 0; expected at least one above 0")
        if self.head == "linear" and self.norm == "unit":
            raise ValueError("image_norm: unit needs head text or vectors; expected standardised or none")
        if self.head != "linear" and self.norm == "none":
            raise ValueError("image_norm: none needs head linear; expected unit or standardised")
        if self.head == "linear" and self.bias != "zero":
            raise ValueError("bias: rates needs head text or vectors; leave it out")
        if self.head != "text" and self.freeze_text:
            raise ValueError(f"freeze_text needs head text, and head {self.head} reads no texts; leave it out")
        return self


class EvaluateParams(Section):
    """How a fold is scored."""

    threshold: Fraction = 0.5
    """Smallest probability at which an action unit is predicted as present."""
    stride: Count = 1
    """Score every n-th labelled frame; use 1 for results that you report."""
    bootstrap: Annotated[int, Field(ge=0)] = 1000
    """Bootstrap resamples for the intervals; 0 for no intervals."""
    batch: Count = 256
    """Frames per prediction step. This affects at most the last bits of a result."""


class ProbeParams(Section):
    """What `clef probe` reads from the frozen image features."""

    stride: Count = 5
    """Use every n-th frame of a clip for identity and activity, and every n-th labelled frame for the labels."""


class TuneParams(Section):
    """Add the score `f1_tuned`, with thresholds and temperature chosen on held-out training subjects.

    This trains an additional stage 2 per fold.
    """

    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """Fraction of a fold's training subjects that are held out."""


class TrackingParams(Section):
    """Tracking of training jobs. Their metrics are also in files next to the weights."""

    mlflow: bool = True
    """Send metrics to MLflow during training; `clef track sync` can do this later."""

    operational = frozenset({"mlflow"})


class AblationParams(Section):
    """Weights that rows of the ablation start from; see `results/{run}/ablation.csv`."""

    farl: str
    """The file of FaRL's weights, `FaRL-Base-Patch16-LAIONFace20M-ep16.pth` (Zheng et al.: General Facial
    Representation Learning in a Visual-Linguistic Manner, CVPR 2022)."""


class Params(Section):
    """One run."""

    dataset: DatasetParams
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_distinct)] = [0, 1, 2]
    """Every fold is trained and tested once per seed, with different initial weights, batches and augmentation."""
    device: Literal["cpu", "cuda"] = "cuda"
    """Device for training, predictions and probes; `cuda` without a GPU is an error."""
    gpus: Count = 1
    """Number of GPUs per training job, or of processes with `device: cpu`. Each process handles a part of every
    batch; the losses are those of the whole batch, so only the last bits of a result change. On a CPU, batch norm is an
    exception: it uses only the part that its own process handles."""
    threads: Count = 8
    """Threads per training process. On a CPU, they affect the last bits of a result, so `--cores` does not set them."""
    deterministic: bool = False
    """Make results on CUDA bit-for-bit reproducible, at the cost of speed."""
    render: RenderParams | None = None
    ingest: IngestParams = IngestParams()
    crop: CropParams = CropParams()
    labels: LabelParams = LabelParams()
    folds: FoldParams = FoldParams()
    texts: TextParams = TextParams()
    model: ModelParams = ModelParams()
    pretrain: PretrainParams | None = PretrainParams()
    finetune: FinetuneParams = FinetuneParams()
    evaluate: EvaluateParams = EvaluateParams()
    probe: ProbeParams = Field(default=ProbeParams(), exclude_if=lambda probe: probe == ProbeParams())
    tracking: TrackingParams = TrackingParams()
    tune: TuneParams | None = None
    test: TestParams | None = _added(None)
    ablation: AblationParams | None = _added(None)

    @model_validator(mode="after")
    def _check_combinations(self) -> "Params":
        if self.tune is not None and (self.labels.kind != "action_units" or self.folds.protocol == "official"):
            raise ValueError("tune needs action units and folds by subject; leave it out")
        if self.tune is not None and self.test is not None:
            raise ValueError("tune needs a test on the same data set, and test names another; leave one out")
        if self.tune is not None and self.labels.zero_shot:
            raise ValueError("tune needs labels that are trained on, and labels.zero_shot tests others; leave one out")
        if self.test is None and self.labels.tested.kind != self.labels.kind:
            raise ValueError("labels.zero_shot: another kind of labels needs a test on another data set (`test`)")
        if self.labels.zero_shot and self.finetune.head != "text":
            raise ValueError(f"labels.zero_shot needs texts, and finetune.head {self.finetune.head} reads none")
        if self.finetune.replaces_stage1_of is not None and self.pretrain is not None:
            raise ValueError("finetune.replaces_stage1_of needs `pretrain: null`; leave one out")
        if self.folds.activities == "unseen" and self.test is not None:
            raise ValueError("folds.activities: unseen needs a test on the same data set; leave it out, or `test`")
        if self.finetune.balance == "classes" and self.labels.kind != "expressions":
            raise ValueError("finetune.balance: classes needs labels of kind expressions; leave it out, or none")
        if self.labels.kind == "expressions":
            for key, off in {"matching": "sigmoid", "positive_weight": "none", "bias": "zero"}.items():
                if (value := getattr(self.finetune, key)) != off:
                    raise ValueError(
                        f"finetune.{key}: {value} needs labels of kind action_units; leave it out, or {off}"
                    )
        stage1 = self.pretrain
        batches = {"finetune": self.finetune.batch}
        if stage1 is not None and stage1.from_ is None:
            batches["pretrain"] = stage1.subjects * stage1.activities * stage1.frames
        name = min(batches, key=lambda stage: batches[stage])
        if self.gpus > batches[name]:
            raise ValueError(f"gpus is {self.gpus}, but a batch of {name} has only {batches[name]} images")
        return self

    def section(self, name: str) -> Any:
        """A section or a single value as plain data."""
        value = getattr(self, name)
        return value.model_dump(mode="json", by_alias=True) if isinstance(value, Section) else value

    def tracked(self, name: str) -> Any:
        """The part of a section that changes results, as plain data, for Snakemake's comparison and for digests."""
        value, plain = getattr(self, name), self.section(name)
        return {k: v for k, v in plain.items() if k not in value.operational} if isinstance(value, Section) else plain

    @property
    def crop_digest(self) -> str:
        """Digest of the crop settings, eight hexadecimal digits."""
        return digest(self.tracked("crop"))


def digest(plain: Any, length: int = 8) -> str:
    """Short SHA-256 of plain data, independent of the order of keys."""
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:length]
