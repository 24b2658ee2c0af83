"""The schema of a params file.

One file `params/{run}.yaml` is one run. Every default of the project stands here, each with the reason where it is
not obvious; a file says only what differs. `clef.runs.load` reads the files. The Snakefile and every subcommand import
this module, so it must stay light: no torch, no pandas.
"""

import hashlib
import json
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from clef.errors import ClefError

MODEL_SUFFIXES = (".bin", ".npz", ".pt", ".pth", ".safetensors")
"""Of files of a model's weights; no tag ends so."""

ACTION_UNITS_BP4D = [1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24]

PRETRAIN_SECTIONS = ("dataset", "texts", "model", "folds", "pretrain", "device", "threads", "deterministic")
"""What stage 1 depends on, beside its input files, seed and fold."""
FINETUNE_SECTIONS = ("dataset", "texts", "model", "folds", "labels", "finetune", "device", "threads", "deterministic")
"""What stage 2 depends on, likewise."""

NAME = re.compile(r"\w[\w.+-]*")
"""Names of runs and data sets: they stand in paths and commands."""
NAME_EXPECTED = "letters, digits and . _ + - only"


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"expected {NAME_EXPECTED}")
    return value


def _weights(value: str) -> str:
    """A tag of open_clip's or a path: of the former the workflow makes names of files."""
    if not (NAME.fullmatch(value) or "/" in value or value.endswith(MODEL_SUFFIXES)):
        raise ValueError(f"expected a tag of open_clip's ({NAME_EXPECTED}) or the path of a file of weights")
    return value


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("expected each once")
    return values


def _rising(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError("expected the smaller number first")
    return limits


Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Limits = Annotated[tuple[Positive, Positive], AfterValidator(_rising)]
Count = Annotated[int, Field(ge=1)]


class ParamsError(ClefError):
    """A params file that cannot be used; the message is one line naming file, key and what was expected."""


class Section(BaseModel):
    """A part of the params file in which a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    operational: ClassVar[frozenset[str]] = frozenset()
    """Keys that change how a result is computed and never the result: they make nothing stale."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_truth_values(cls, values: Any) -> Any:
        """YAML reads `yes` and `on` as true, which would pass for 1."""
        for key, value in values.items() if isinstance(values, dict) else ():
            field = next((f for name, f in cls.model_fields.items() if key in (name, f.alias)), None)
            if isinstance(value, bool) and field is not None and field.annotation is not bool:
                raise ValueError(
                    f"{key} is {str(value).lower()}; expected a number or text "
                    "(YAML reads yes, no, on and off as true and false; put text in quotes)"
                )
        return values


class DatasetParams(Section):
    """Which recordings the run is about, and where they lie."""

    adapter: str
    """Module of `clef.datasets` that knows the layout."""
    name: Annotated[str, AfterValidator(_name)] = ""
    """Folder below data/raw, data/interim and data/processed; the adapter's name unless given."""
    options: dict[str, Any] = Field(default_factory=dict, exclude_if=lambda options: not options)
    """What this adapter leaves open, such as which camera; `clef explain dataset.options` lists them all."""

    @model_validator(mode="before")
    @classmethod
    def _name_after_adapter(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("name"):
            return {**values, "name": values.get("adapter", "")}
        return values


class RenderParams(Section):
    """What `clef render-demo` draws. Only for the demo sets."""

    kind: Literal["videos", "stills"] = "videos"
    """`videos` with action units, or `stills` with expressions."""
    seed: int = 0
    """Another seed draws other people."""
    size: Annotated[int, Field(ge=160, multiple_of=2)] = 320
    """Height and width of a frame in pixels."""
    subjects: Annotated[int, Field(ge=2)] = 18
    """People (videos)."""
    activities: Annotated[int, Field(ge=2, le=6)] = 6
    """Activities each person is filmed in (videos)."""
    seconds: Limits = (6.0, 8.0)
    """Shortest and longest clip."""
    labelled_share: Fraction = 0.45
    """Share of each clip that has AU labels: one window, as the coders of BP4D chose."""
    train_images: Count = 1400
    """Images of the training split (stills)."""
    test_images: Count = 350
    """Images of the test split (stills)."""


class IngestParams(Section):
    """How raw recordings are listed."""

    max_bad: Fraction = 0.02
    """Share of sequences that may be unreadable before the rule stops with their list."""
    overhang: Annotated[int, Field(ge=0)] = 0
    """How many frames labels may reach past the end of their video, since decoders differ by a frame; such labelled
    frames count as not decodable."""


class CropParams(Section):
    """How faces are found and cut out. Their digest names the crops."""

    detector: Literal["lbp", "yunet", "retinaface", "none"] = "retinaface"
    """Who finds the faces; `none` for images that are cropped already."""
    weights: str | None = None
    """File of the detector's weights; `lbp` and `none` need no file."""
    score: Fraction = 0.7
    """Least detection score."""
    every: Count = 1
    """Detect in every n-th frame; boxes between are tracked."""
    bridge: Annotated[int, Field(ge=0)] = 12
    """Longest run of frames without a detection, between two with one, that tracking fills in."""
    face: Literal["largest", "central"] = "largest"
    """Which face where there are several."""
    align: Literal["eyes", "box"] = "eyes"
    """`eyes`: similarity transform onto fixed eye positions, where the detector gives landmarks; `box`: square."""
    margin: NonNegative = 0.2
    """Share of the box's side added around it (`box`)."""
    size: Annotated[int, Field(ge=32)] = 256
    """Height and width of a crop in pixels; a little more than the model's input, so that training can shift it."""
    smooth: NonNegative = 0.0
    """Standard deviation, in frames, of the Gaussian that steadies boxes and landmarks over time; 0 leaves them."""
    quality: Annotated[int, Field(ge=50, le=100)] = 95
    """JPEG quality of the stored crops."""
    detect_size: Count = 640
    """Longest side, in pixels, of the picture that the detector sees; larger frames are shrunk for detection only."""
    batch: Count = 16
    """Frames a detector call."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where `retinaface` computes."""
    threads: Count = 1
    """Threads of a cropping process. Like a training's, they are not `--cores`' to choose."""

    operational = frozenset({"batch"})


class LabelParams(Section):
    """What is predicted. Raw codes stay in the manifest; the choice made here applies when a run reads it."""

    kind: Literal["action_units", "expressions"] = "action_units"
    """Any number of action units at once, or one expression of several."""
    action_units: list[int] = ACTION_UNITS_BP4D
    """Their numbers in the Facial Action Coding System."""
    threshold: Annotated[int, Field(ge=1, le=5)] = 1
    """Least raw code that counts as present: 1 for occurrence codes, 2 for DISFA's intensities."""
    expressions: list[str] = []
    """Names of the classes, as the texts file has them; images of other classes are left out."""
    votes: Literal["majority", "probability", "plurality"] | None = Field(
        default=None, exclude_if=lambda votes: votes is None
    )
    """What is made of annotators' votes (FER+): `majority`, the class with more than half of them; `probability`, train
    with their shares and test by majority; `plurality`, the class with most. None where the data set gives classes."""

    @model_validator(mode="after")
    def _named(self) -> "LabelParams":
        if self.votes is not None and self.kind != "expressions":
            raise ValueError("votes go with kind expressions; leave them out")
        if len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise ValueError(f"expected two or more distinct {self.kind}, got {self.names}")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the label columns in order, `AU01` style for action units."""
        if self.kind == "action_units":
            return [f"AU{number:02d}" for number in self.action_units]
        return list(self.expressions)


class FoldParams(Section):
    """How subjects are split for cross-validation."""

    protocol: Literal["subjects", "standard", "leave_one_out", "given", "official"] = "subjects"
    """`subjects`: subject-exclusive folds, drawn; `standard`: published ones, see `partition`; `leave_one_out`: a fold
    a subject, F1 from the counts of all folds together; `given`: those of `test_subjects`; `official`: the data set's
    own train and test split as the only fold."""
    number: Annotated[int, Field(ge=1)] | None = Field(default=3, exclude_if=lambda number: number is None)
    """Of folds; counted where `partition` or `test_subjects` say which they are."""
    seed: int = 0
    """Draws which subjects share a fold (`subjects`)."""
    test_subjects: list[list[str]] | None = Field(default=None, exclude_if=lambda given: given is None)
    """Whom each fold tests (`given`), such as [[F001, M003], [F002]]; it trains on all others. Every subject of the
    data set stands in exactly one fold."""
    partition: str | None = Field(default=None, exclude_if=lambda name: name is None)
    """Name of the published folds (`standard`); null takes the data set's usual ones. `clef folds RUN` shows them."""

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("number") is not None:
            return values
        given = values.get("test_subjects")
        if isinstance(given, list):
            return {**values, "number": len(given)}
        by_protocol = {"standard": None, "leave_one_out": None, "official": 1}
        return {**values, "number": by_protocol.get(str(values.get("protocol")), 3)}

    @field_validator("test_subjects", mode="before")
    @classmethod
    def _quoted(cls, given: Any) -> Any:
        for fold in given if isinstance(given, list) else []:
            for subject in fold if isinstance(fold, list) else []:
                if not isinstance(subject, str):
                    raise ValueError(f"subject {subject!r} is no text; put names of digits in quotes")
        return given

    @model_validator(mode="after")
    def _countable(self) -> "FoldParams":
        if self.protocol in ("standard", "leave_one_out"):
            if self.number is not None:
                raise ValueError(f"protocol {self.protocol} says itself how many folds; leave number out, or null")
        elif self.protocol == "official":
            if self.number != 1:
                raise ValueError("number must be 1 with protocol official")
        elif self.number is None or self.number < 2:
            raise ValueError(f"number must be 2 or more with protocol {self.protocol}")
        if self.partition is not None and self.protocol != "standard":
            raise ValueError("partition goes with protocol standard; leave it out, or null")
        if (self.protocol == "given") != (self.test_subjects is not None):
            raise ValueError("protocol given and test_subjects go together; say both or neither")
        if self.test_subjects is not None and len(self.test_subjects) != self.number:
            raise ValueError(
                f"number is {self.number}, test_subjects has {len(self.test_subjects)} folds; leave number out"
            )
        return self


class TestParams(Section):
    """Tests on another data set than is trained on: trainings are one a seed, on every subject, as fold `all`."""

    run: str
    """A run over that data set: every subject of it is tested, at that run's label threshold. Both have the same crop
    settings."""


class TextParams(Section):
    """What texts images are matched with."""

    file: str | None = None
    """A YAML file of activities, labels and templates; null takes `clef/model/texts.yaml`."""


class ModelParams(Section):
    """The open_clip model of both stages."""

    name: Annotated[str, AfterValidator(_name)] = "ViT-B-16-quickgelu"
    """An open_clip model name, or one of the project's own `clef/model/configs/`."""
    pretrained: Annotated[str, AfterValidator(_weights)] | None = None
    """An open_clip pretrained tag, or a path to weights; null trains from scratch."""
    image_size: Annotated[int, Field(ge=32)] = 224
    """Height and width of the model's input in pixels."""
    gradient_checkpointing: bool = False
    """Less memory for more time."""
    compile: bool = False
    """Run the image tower through torch.compile."""

    @property
    def takes(self) -> dict[str, Any]:
        """What weights must have in common with this model to fit it; how it is computed is no part of them."""
        return {"name": self.name, "image_size": self.image_size}


class AugmentParams(Section):
    """Random changes to a training image."""

    rotation: NonNegative = 20.0
    """Largest rotation in degrees, either way."""
    scale: Limits = (0.6, 1.0)
    """Smallest and largest share of the crop's area that is seen."""
    shift: Fraction = 1.0
    """How far the seen square may lie off the middle, as a share of the room that the scale leaves."""
    flip: Fraction = 0.5
    """Chance of a mirror image."""
    brightness: NonNegative = 0.2
    """Largest relative change, either way."""
    contrast: NonNegative = 0.2
    """Likewise."""
    saturation: NonNegative = 0.2
    """Likewise."""
    grey: Fraction = 0.1
    """Chance of losing all colour."""
    blur: Fraction = 0.1
    """Chance of a Gaussian blur."""


class OptimiserParams(Section):
    """AdamW under a cosine with linear warm-up."""

    lr_image: NonNegative = 1e-5
    """Learning rate of the image tower."""
    lr_text: NonNegative = 1e-6
    """Of the text tower: at most the image tower's, since a handful of texts collapses quickly."""
    lr_head: NonNegative = 1e-3
    """Of linear head, logit scale and biases."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor on the learning rate of each block of the image tower below the last."""
    weight_decay: NonNegative = 0.05
    """Of all weights with two or more dimensions."""
    warmup: Fraction = 0.1
    """Share of all steps."""
    clip_gradient: Positive = 1.0
    """Largest gradient norm."""


class CheckpointParams(Section):
    """When a training writes its recovery checkpoint."""

    every_seconds: Positive = 300.0
    """What a killed training loses at most."""
    every_steps: Count | None = None
    """Also after so many steps."""


class PretrainParams(Section):
    """Stage 1: contrast with the activity as the weak label."""

    from_: str | None = Field(default=None, alias="from")
    """Take stage 1 of this run, seed by seed and fold by fold, instead of training one."""
    also: Annotated[list[str], AfterValidator(_distinct)] = []
    """Runs over other data sets with activities, all of whose subjects take part in stage 1."""
    image_image: NonNegative = 1.0
    """Weight of the supervised contrastive loss between views; 0 switches it off."""
    image_text: NonNegative = 1.0
    """Weight of the loss between images and activity texts; 0 switches it off."""
    temperature: Positive = 0.1
    """Of the image-image loss."""
    logit_scale: Positive = 14.285714285714286
    """Start of the image-text loss's learnt scale, 1 / 0.07 as CLIP's."""
    subjects: Annotated[int, Field(ge=2)] = 16
    """Subjects in a batch."""
    activities: Annotated[int, Field(ge=2)] = 8
    """Activities of each of them in a batch."""
    frames: Annotated[int, Field(ge=1, le=2)] = 2
    """Frames of each of these clips in a batch, half a clip apart."""
    stride: Count = 5
    """Use every n-th frame of a clip."""
    epochs: Positive = 5.0
    """Passes over those frames."""
    augment: AugmentParams = AugmentParams()
    optimiser: OptimiserParams = OptimiserParams()
    checkpoint: CheckpointParams = CheckpointParams()
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that decode crops beside the training."""

    operational = frozenset({"workers", "checkpoint"})

    @model_validator(mode="after")
    def _some_loss(self) -> "PretrainParams":
        if self.image_image == 0 and self.image_text == 0:
            raise ValueError("image_image and image_text are both 0; for a run without stage 1 say `pretrain: null`")
        return self

    @model_validator(mode="after")
    def _trained_where_others_join(self) -> "PretrainParams":
        if self.from_ is not None and self.also:
            raise ValueError("also is for a stage 1 that is trained here, and from takes one from elsewhere; drop one")
        return self


class FinetuneParams(Section):
    """Stage 2: match images with the text of the labels."""

    head: Literal["text", "linear"] = "text"
    """`text`: cosine with the label texts; `linear`: a plain classifier on the image feature."""
    matching: Literal["sigmoid", "pair"] = "sigmoid"
    """Action units: `sigmoid` of scale times cosine plus a bias, or softmax over a present and an absent text."""
    image_names: NonNegative = 1.0
    """Weight of the loss between images and label names (`text`)."""
    names_descriptions: NonNegative = 1.0
    """Weight of the loss between label names and their descriptions (`text`)."""
    image_descriptions: NonNegative = 0.0
    """Weight of the loss between images and descriptions (`text`): the paper's row I + D."""
    label_weight: Literal["inverse", "none"] = "inverse"
    """`inverse`: rare action units weigh more, normalised over the action units as the field does."""
    balance: Literal["none", "classes"] = "none"
    """`classes`: draw every expression equally often; an image with votes for several counts as its likeliest."""
    logit_scale: Positive = 14.285714285714286
    """Start of the learnt scale of the cosines, 1 / 0.07 as CLIP's."""
    freeze_image: bool = False
    """Train the head alone, on fixed image features."""
    augment: AugmentParams = AugmentParams(scale=(0.8, 1.0), rotation=10.0)
    optimiser: OptimiserParams = OptimiserParams(layer_decay=0.7)
    checkpoint: CheckpointParams = CheckpointParams()
    batch: Count = 64
    """Frames a step."""
    stride: Count = 1
    """Use every n-th labelled frame of a clip."""
    epochs: Count = 10
    """Passes over those frames; the last one counts, none is chosen."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that decode crops beside the training, and beside predictions."""

    operational = frozenset({"workers", "checkpoint"})

    @model_validator(mode="after")
    def _some_loss(self) -> "FinetuneParams":
        if self.head == "text" and self.image_names == 0 and self.image_descriptions == 0:
            raise ValueError("image_names and image_descriptions are both 0; one of them must train the images")
        return self


class EvaluateParams(Section):
    """How a fold is scored."""

    threshold: Fraction = 0.5
    """A label whose probability reaches it is predicted (action units)."""
    stride: Count = 1
    """Score every n-th labelled frame; 1 for results to report."""
    bootstrap: Annotated[int, Field(ge=0)] = 1000
    """Resamples of an interval; 0 for none."""
    batch: Count = 256
    """Frames at a time; no result depends on it beyond the last bits."""


class TuneParams(Section):
    """The column `f1_tuned`: thresholds and a temperature from people held out of training. One more stage 2 a fold."""

    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """Share of a fold's training subjects on whom thresholds and temperature are chosen."""


class TrackingParams(Section):
    """Where trainings are shown. Their records lie beside the weights in any case."""

    mlflow: bool = True
    """Show them in MLflow while they run; without, `clef track sync` does so when asked."""

    operational = frozenset({"mlflow"})


class Params(Section):
    """One run."""

    dataset: DatasetParams
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_distinct)] = [0, 1, 2]
    """Each trains and tests every fold once more, with other first weights, batches and augmentation."""
    device: Literal["cpu", "cuda"] = "cuda"
    """Where training and evaluation compute; `cuda` without a GPU is an error, not a quiet fall to the CPU."""
    gpus: Count = 1
    """GPUs of one training, with a process each that has its share of every batch; the losses are those of the whole
    batch. With `device: cpu`, processes. Beyond the last bits no result depends on it."""
    threads: Count = 8
    """Threads of a training process. On a CPU the last bits of a result depend on them, so `--cores` must not."""
    deterministic: bool = False
    """Bit-for-bit repeatable on CUDA too, at some cost."""
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
    tracking: TrackingParams = TrackingParams()
    tune: TuneParams | None = None
    test: TestParams | None = Field(default=None, exclude_if=lambda test: test is None)

    @model_validator(mode="after")
    def _tunable(self) -> "Params":
        if self.tune is not None and (self.labels.kind != "action_units" or self.folds.protocol == "official"):
            raise ValueError("tune needs action units and folds by subject; leave it out")
        if self.tune is not None and self.test is not None:
            raise ValueError("tune chooses thresholds within a data set, and test is on another; leave one of them out")
        return self

    @model_validator(mode="after")
    def _balanced(self) -> "Params":
        if self.finetune.balance == "classes" and self.labels.kind != "expressions":
            raise ValueError("finetune.balance: classes goes with labels of kind expressions; leave it out, or none")
        return self

    @model_validator(mode="after")
    def _shareable(self) -> "Params":
        stage1 = self.pretrain
        batches = {"finetune": self.finetune.batch}
        if stage1 is not None and stage1.from_ is None:
            batches["pretrain"] = stage1.subjects * stage1.activities * stage1.frames
        name = min(batches, key=lambda stage: batches[stage])
        if self.gpus > batches[name]:
            raise ValueError(f"gpus is {self.gpus}, but a batch of {name} has {batches[name]} images to share")
        return self

    def section(self, name: str) -> Any:
        """A section, or a single value, as plain data."""
        value = getattr(self, name)
        return value.model_dump(mode="json", by_alias=True) if isinstance(value, Section) else value

    def tracked(self, name: str) -> Any:
        """What of a section decides the result: what Snakemake compares, and what keys and digests are made of."""
        value, plain = getattr(self, name), self.section(name)
        return {k: v for k, v in plain.items() if k not in value.operational} if isinstance(value, Section) else plain

    @property
    def crop_digest(self) -> str:
        """Eight hexadecimal digits that name the crops of these settings."""
        return digest(self.tracked("crop"))


def digest(plain: Any, length: int = 8) -> str:
    """Short SHA-256 of plain data, independent of the order of keys."""
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:length]
