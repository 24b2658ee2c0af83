"""RetinaFace: network and weights of the package retinaface-pytorch, with batched pre- and postprocessing.

For a single image the results match the package's own `predict_jsons`, including its peculiarities: images smaller than
the network's input are enlarged, linear interpolation shrinks without antialiasing, both axes are scaled back by the
factor of the longer one, and a face is dropped only if its box starts beyond the right or lower edge. There are three
deliberate differences: boxes and landmarks keep fractions of a pixel, which the package truncates (boxes twice), an
image without a face gives an empty list, not a record with score -1, and the network does not see all of the square
that the package pads an image to.

The tests compare the steps at random weights. They do not run the released weights.
"""

import io
import math
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import nms  # type: ignore[import-untyped]

from clef.errors import ClefError
from clef.faces.detectors.base import Detector, Face
from clef.runtime.files import file_hash
from clef.weights.releases import DETECTOR_RELEASES, detector_weights

MEAN = torch.tensor([0.485, 0.456, 0.406]) * 255
DEVIATION = torch.tensor([0.229, 0.224, 0.225]) * 255
OVERLAP = 0.4  # boxes with a larger intersection over union are one face
VARIANCES = [0.1, 0.2]
STRIDES, ANCHOR_SIZES = (8, 16, 32), [[16, 32], [64, 128], [256, 512]]
MARGIN = 32
"""Pixels of padding that the network sees round an image, if the square has as many. Leaving out the others saves 30 %
of the pixels at 640x360. With random weights and noise, it moves boxes of anchors of up to 128 pixels by 1.3 at most,
and those of larger ones by 0.8 to 1.3 on average, and by up to 13 at the image's edge."""


class Placement(NamedTuple):
    """Where a scaled image is in the package's square, in pixels."""

    height: int
    width: int
    top: int
    left: int


class Window(NamedTuple):
    """The part of the package's square that the network sees, in multiples of its largest stride."""

    top: int
    bottom: int
    left: int
    right: int


class RetinaFaceDetector(Detector):
    """Finds faces with five landmarks, accurately and slowly."""

    is_thread_safe = True
    prefers_mosaics = True

    def __init__(self, weights: str | None, least_score: float, detect_size: int, device: str) -> None:
        try:
            from retinaface.box_utils import decode, decode_landm
            from retinaface.network import RetinaFace
            from retinaface.prior_box import priorbox
        except ImportError as error:
            raise ClefError(
                f"crop.detector: retinaface needs a package that is missing ({error}); "
                "install clef[retinaface] or choose another detector"
            ) from None
        if device == "cuda" and not torch.cuda.is_available():
            raise ClefError("crop.device: cuda is not available here; expected a GPU; set crop.device to cpu")
        path = detector_weights("retinaface", weights)
        assert path is not None, "this detector has a release"
        library = f"retinaface-pytorch {version('retinaface-pytorch')}"
        self.fingerprint = {"name": "retinaface", "library": library, "weights": file_hash(path)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a deprecated argument of torchvision in the package
            layers = {"layer2": 1, "layer3": 2, "layer4": 3}
            network = RetinaFace("Resnet50", pretrained=False, return_layers=layers, in_channels=256, out_channels=256)
        try:
            network.load_state_dict(_read_weights(path), assign=True)
        except (RuntimeError, AttributeError, TypeError, ValueError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ClefError(
                f"crop.weights: {path} does not fit ({reason}); expected {DETECTOR_RELEASES['retinaface']}"
            ) from None
        self._device = torch.device(device)
        self.uses_gpu = device == "cuda"
        _fold_batch_norms(network.eval())
        self._layout = torch.contiguous_format if self.uses_gpu else torch.channels_last
        self._network = network.to(self._device, torch.float32, memory_format=self._layout)
        self._mean, self._factor = MEAN.to(self._device), DEVIATION.reciprocal().to(self._device)
        self._least_score = least_score
        self._side = detect_size
        self._decode_boxes, self._decode_landmarks = decode, decode_landm
        square = (detect_size, detect_size)
        anchors = priorbox(min_sizes=ANCHOR_SIZES, steps=list(STRIDES), clip=False, image_size=square)  # (anchors, 4)
        self._anchors = {Window(0, detect_size, 0, detect_size): anchors.to(self._device)}

    @contextmanager
    def one_thread_each(self) -> Iterator[None]:
        """See `Detector.one_thread_each`."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @torch.inference_mode()
    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect`."""
        alike: dict[Window, list[int]] = {}
        for index, image in enumerate(images):
            alike.setdefault(self._window(self.placement(image)), []).append(index)
        found: dict[int, list[Face]] = {}
        for window, indices in alike.items():
            found.update(zip(indices, self._detect_in(window, [images[index] for index in indices]), strict=True))
        return [found[index] for index in range(len(images))]

    def _detect_in(self, window: Window, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Find the faces in images that share a window."""
        box_offsets, logits, landmark_offsets = self.forward(torch.stack([self._prepare(image) for image in images]))
        scores = logits.softmax(dim=-1)[..., 1]  # (batch, anchors)
        passed = torch.where(scores > self._least_score)  # indices of images and anchors
        anchors = self._anchors_in(window)[passed[1]]
        boxes = self._decode_boxes(box_offsets[passed], anchors, VARIANCES) * self._side  # left, top, right, bottom
        landmarks = self._decode_landmarks(landmark_offsets[passed], anchors, VARIANCES) * self._side
        found = [scores[passed].cpu(), boxes.cpu(), landmarks.cpu()]  # few, so they move to the CPU in one go
        found_in = passed[0].cpu()
        return [
            self._faces(image, *(values[found_in == index] for values in found)) for index, image in enumerate(images)
        ]

    def placement(self, image: np.ndarray) -> Placement:
        """Return where the package puts an image, scaled so that its longer side fills the square."""
        height, width = image.shape[:2]
        factor = self._side / max(height, width)
        height, width = max(1, round(height * factor)), max(1, round(width * factor))
        return Placement(height, width, (self._side - height) // 2, (self._side - width) // 2)

    def _window(self, place: Placement) -> Window:
        """Return the smallest window that shows an image with its margins."""
        step = STRIDES[-1]

        def extent(first: int, length: int) -> tuple[int, int]:
            last = -(-(first + length + MARGIN) // step) * step
            return max(0, (first - MARGIN) // step * step), min(self._side, last)

        return Window(*extent(place.top, place.height), *extent(place.left, place.width))

    def _anchors_in(self, window: Window) -> Tensor:
        """Return the anchors of a window, with their places in the square, `(anchors, 4)`."""
        if window not in self._anchors:
            whole = Window(0, self._side, 0, self._side)
            sides = [math.ceil(self._side / stride) for stride in STRIDES]  # of the network's maps
            maps = self._anchors[whole].split([side * side * len(ANCHOR_SIZES[0]) for side in sides])
            parts = []
            for anchors, side, stride in zip(maps, sides, STRIDES, strict=True):
                top, bottom, left, right = (math.ceil(edge / stride) for edge in window)
                parts.append(anchors.view(side, side, -1)[top:bottom, left:right].reshape(-1, 4))
            self._anchors[window] = torch.cat(parts)
        return self._anchors[window]

    def _prepare(self, image: np.ndarray) -> Tensor:
        """Scale an RGB uint8 image `(height, width, 3)`, normalise it, and pad it with zeros to its window.

        Returns `(3, height, width)` on the device.
        """
        place = self.placement(image)
        window = self._window(place)
        if image.shape[:2] != (place.height, place.width):
            image = cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_LINEAR)
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self._device, torch.float32)
        normalised = (pixels - self._mean) * self._factor
        padded = torch.zeros(3, window.bottom - window.top, window.right - window.left, device=self._device)
        top, left = place.top - window.top, place.left - window.left
        padded[:, top : top + place.height, left : left + place.width] = normalised.permute(2, 0, 1)
        return padded

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run the network on `(batch, 3, height, width)`, in float32 also on a GPU, so that crops do not depend on it.

        Returns box offsets, class logits and landmark offsets, `(batch, anchors, 4)`, `(..., 2)` and `(..., 10)`.
        """
        batch = batch.contiguous(memory_format=self._layout)
        if not self.uses_gpu:  # one by one, since the activations of one image already exceed the processor's caches
            boxes, logits, landmarks = zip(*(self._network(image) for image in batch.split(1)), strict=True)
            return torch.cat(boxes), torch.cat(logits), torch.cat(landmarks)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self._network(batch)

    def _faces(self, image: np.ndarray, scores: Tensor, boxes: Tensor, landmarks: Tensor) -> list[Face]:
        """Return the faces of one image in its own pixels, with the best box of those that overlap."""
        best_first = scores.argsort(descending=True)
        scores, boxes, landmarks = scores[best_first], boxes[best_first], landmarks[best_first]
        kept = nms(boxes, scores, OVERLAP)
        place = self.placement(image)
        shift = np.array([place.left, place.top], float)
        height, width = image.shape[:2]
        scale = max(height, width) / self._side
        corners = (boxes[kept].double().numpy().reshape(-1, 2, 2) - shift) * scale
        points = (landmarks[kept].double().numpy().reshape(-1, 5, 2) - shift) * scale
        return [
            Face((*corner[0], *(corner[1] - corner[0])), float(score), point)
            for corner, point, score in zip(corners, points, scores[kept].tolist(), strict=True)
            if corner[0, 0] < width - 1 and corner[0, 1] < height - 1
        ]


def _fold_batch_norms(module: nn.Module) -> None:
    """Replace each convolution and the batch norm after it by one convolution, which gives the same in less time."""
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if before is not None and isinstance(before[1], nn.Conv2d) and isinstance(child, nn.BatchNorm2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        else:
            _fold_batch_norms(child)
        before = name, child


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors from .safetensors, from a file of torch.save, or from such a file in a zip, like the release."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) == 1:
                return torch.load(io.BytesIO(archive.read(names[0])), map_location="cpu", weights_only=True)
    return torch.load(path, map_location="cpu", weights_only=True)
