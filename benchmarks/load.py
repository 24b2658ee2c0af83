"""Compare the loading of training batches with torchvision's ImageFolder, and with decoding alone.

    python -m benchmarks.load --out benchmarks/figures/load.json

Both read the same JPEG crops of 256 pixels, change them by as much, and give normalised batches of 224 pixels: CLEF a
batch at a time, ImageFolder image by image with PIL, in the workers of a DataLoader.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision import transforms  # type: ignore[import-untyped]
from torchvision.datasets import ImageFolder  # type: ignore[import-untyped]

from benchmarks.crop import crop, recording, rendered_frames
from benchmarks.figures_file import write_figures
from benchmarks.rounds import per_second, ratio, take_turns
from clef.batches.augmentation import BLUR, draw, training_view
from clef.batches.crops import Crops, in_batches, load_steps
from clef.faces.shard import open_shard, read_fingerprint
from clef.fixtures.formats import put_video
from clef.params.schema import AugmentParams, CropParams

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIZE, BATCH = 224, 64
SETTINGS = AugmentParams()


def make_crops(folder: Path, number: int) -> Crops:
    """Crop frames of a rendered person, and write the same JPEG files to a class folder for ImageFolder."""
    put_video(folder / "video.mp4", rendered_frames((256, 256), number))
    settings = CropParams(detector="none", align="box", margin=0.0, size=256)
    crop(recording(folder / "video.mp4", "video"), settings, folder)
    shard = folder / "shard.arrow"
    frames = open_shard(shard).select(["sequence", "frame", "crop"]).to_pandas()
    (folder / "images" / "class").mkdir(parents=True)
    for index, encoded in enumerate(frames.pop("crop")):
        (folder / "images" / "class" / f"{index:05d}.jpg").write_bytes(encoded)
    frames["shard"], frames["row"] = "s", np.arange(len(frames))
    return Crops({"s": shard}, frames, read_fingerprint(shard))


def ours(crops: Crops, workers: int, device: torch.device) -> None:
    """Load every crop once."""

    def view(images: torch.Tensor, indices: np.ndarray, step: int) -> torch.Tensor:
        return training_view(images, draw(SETTINGS, 0, "view", step, indices), SIZE, MEAN, DEVIATION)

    batches = in_batches(len(crops), BATCH)
    for _ in load_steps(crops, batches.__getitem__, range(len(batches)), view, device, workers):
        pass


def image_folder(folder: Path, workers: int, device: torch.device) -> None:
    """Load every crop once with the usual transforms."""
    change = SETTINGS.brightness
    blur = transforms.GaussianBlur(5, tuple(SIZE * share for share in BLUR))
    steps = [
        transforms.RandomRotation(SETTINGS.rotation, transforms.InterpolationMode.BILINEAR),
        transforms.RandomResizedCrop(SIZE, SETTINGS.scale, (1.0, 1.0)),
        transforms.RandomHorizontalFlip(SETTINGS.flip),
        transforms.ColorJitter(change, SETTINGS.contrast, SETTINGS.saturation),
        transforms.RandomGrayscale(SETTINGS.grey),
        transforms.RandomApply([blur], SETTINGS.blur),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, DEVIATION),
    ]
    data = ImageFolder(str(folder), transforms.Compose(steps))
    for images, _ in DataLoader(data, BATCH, shuffle=True, num_workers=workers, pin_memory=device.type == "cuda"):
        images.to(device, non_blocking=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    device = torch.device(given.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        crops = make_crops(folder, given.images)
        calls: dict[str, Callable[[], object]] = {
            "decode alone, in one thread": lambda: [crops.decode(batch) for batch in in_batches(len(crops), BATCH)]
        }
        for workers in (0, given.workers):
            calls[f"clef, workers: {workers}"] = partial(ours, crops, workers, device)
            calls[f"ImageFolder, workers: {workers}"] = partial(image_folder, folder / "images", workers, device)
        seconds = take_turns(calls, given.rounds)
    figures = {
        "images_per_second": per_second(seconds, given.images),
        **{
            f"times ImageFolder, workers: {workers}": ratio(
                seconds, f"clef, workers: {workers}", f"ImageFolder, workers: {workers}"
            )
            for workers in (0, given.workers)
        },
    }
    for name, figure in figures.items():
        print(name, figure)
    write_figures(given.out, figures)


if __name__ == "__main__":
    main()
