"""A trained model: crops in, probabilities out. It has one or several members, whose probabilities are averaged."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clef.batches.augmentation import evaluation_view
from clef.errors import ClefError
from clef.model.device import autocast
from clef.model.encoders import Encoders, architecture
from clef.model.tasks import LabelTask
from clef.model.texts import LabelTexts, Templates
from clef.model.weights_file import read_weights, restore
from clef.params.schema import ModelParams
from clef.trained.config import Member, TrainedConfig


class TrainedModel:
    """A model from a run or an exported folder.

    Args:
        config: Everything but the weights.
        folder: The folder that the paths of the weights start from.
        device: `cpu` or `cuda`.

    Raises:
        ClefError: Weights are missing, damaged or of another model.
    """

    def __init__(self, config: TrainedConfig, folder: Path, device: torch.device) -> None:
        self.config = config
        self.folder = folder
        self.device = device
        if architecture(config.model) != config.architecture:
            raise ClefError(
                f"{folder}: {config.model} differs in this version of open_clip; install that of the training"
            )
        self.tasks = [self._task(member) for member in config.members]
        self._texts: list[Tensor | None] | None = None

    def _task(self, member: Member) -> LabelTask:
        config, path = self.config, self.folder / member.file
        encoders = Encoders(ModelParams(name=config.model, image_size=config.image_size))
        texts, templates = [LabelTexts(*pair) for pair in config.label_texts], Templates(**config.templates)
        task = LabelTask(encoders, texts, config.labels, templates, config.finetune, None, member.seed)
        restore(task, read_weights(path, member.sha256, "the config"), path)
        encoders.mean, encoders.std = (tuple(config.normalisation[name]) for name in ("mean", "std"))
        return task.eval().to(self.device)

    @property
    def has_texts(self) -> bool:
        """Whether images are matched with texts, so that the model can be asked in words."""
        return self.config.finetune.head == "text"

    @torch.no_grad()
    def encode_sentences(self, sentences: Sequence[str]) -> Tensor:
        """Encode any sentences with the text tower of each member, (member, sentence, dim).

        Raises:
            ClefError: The model has a linear head, or a sentence is empty or too long.
        """
        if not self.has_texts:
            raise ClefError(f"ask: {self.config.run} has a linear head and knows no texts; use a run with `head: text`")
        if not all(sentence.strip() for sentence in sentences):
            raise ClefError("ask: empty; expected a sentence, such as 'a person with raised inner brows'")
        with autocast(self.device):
            tokens = self.tasks[0].encoders.tokenize(sentences).to(self.device)
            return torch.stack([task.encoders.texts(tokens) for task in self.tasks])

    @torch.no_grad()
    def predict(self, crops: Tensor, sentences: Tensor | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Predict the labels of crops as a shard has them, RGB uint8 (batch, 3, side, side).

        Args:
            crops: The crops.
            sentences: The result of `encode_sentences`.

        Returns:
            Probabilities, float32 (batch, label), and cosines with the sentences, float32 (batch, sentence).
        """
        probabilities, cosines = [], []
        with autocast(self.device):
            if self._texts is None:
                self._texts = [task.texts_for_prediction() for task in self.tasks]
            encoders, images = self.tasks[0].encoders, crops.to(self.device, non_blocking=True)
            images = evaluation_view(images, self.config.image_size, encoders.mean, encoders.std)
            for number, task in enumerate(self.tasks):
                features = task.features(images)
                probabilities.append(task.probabilities(features, self._texts[number]).float())
                if sentences is not None:
                    cosines.append(task.cosines(features, sentences[number]))
        mean = torch.stack(probabilities).mean(dim=0).cpu().numpy()
        return mean, torch.stack(cosines).mean(dim=0).cpu().numpy() if cosines else None
