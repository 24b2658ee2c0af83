"""Losses and gradients of every task on one batch, of which each rank has a share."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from clef.model.encoders import Encoders
from clef.model.tasks import ActivityTask, LabelTask
from clef.model.texts import LabelTexts, label_templates
from clef.params.schema import FinetuneParams, LabelParams, ModelParams, PretrainParams, TextParams
from clef.training.ranks.ranks import Ranks, connected

BATCH = 13
"""Shares differ in size."""
SIZE = 32
NAMES = [LabelTexts(f"name {n}", f"what label {n} looks like") for n in range(3)]
UNITS = LabelParams(action_units=[1, 4, 12])
EXPRESSIONS = LabelParams(kind="expressions", expressions=["a", "b", "c"])


def _tasks() -> dict:
    def encoders() -> Encoders:
        torch.manual_seed(0)
        return Encoders(ModelParams(name="clef-tiny", image_size=SIZE))

    def stage1(**weights) -> ActivityTask:
        return ActivityTask(encoders(), ["one", "another", "a third"], PretrainParams(**weights))

    def stage2(labels: LabelParams, **settings) -> LabelTask:
        rates = torch.tensor([0.5, 0.1, 0.2]) if labels.kind == "action_units" else None
        return LabelTask(encoders(), NAMES, labels, label_templates(TextParams()), FinetuneParams(**settings), rates, 0)

    classes = torch.arange(BATCH) % 3
    activities = torch.stack([classes, torch.arange(BATCH) // 2], dim=1)
    occurrences = (torch.arange(BATCH * 3).reshape(BATCH, 3) % 5 < 2).float()
    occurrences[2:4, 1] = torch.nan
    votes = torch.rand(BATCH, 3, generator=torch.Generator().manual_seed(3)).softmax(dim=1)
    return {
        "image-image": (stage1(image_text=0), activities),
        "image-text": (stage1(image_image=0), activities),
        "both of stage 1": (stage1(), activities),
        "sigmoid": (stage2(UNITS), occurrences),
        "pair": (stage2(UNITS, matching="pair"), occurrences),
        "image-description": (stage2(UNITS, image_names=0, image_descriptions=1), occurrences),
        "linear": (stage2(UNITS, head="linear"), occurrences),
        "frozen tower": (stage2(UNITS, freeze_image=True), occurrences),
        "standardised": (stage2(UNITS, image_norm="standardised"), occurrences),
        "vectors": (stage2(UNITS, head="vectors"), occurrences),
        "classes": (stage2(EXPRESSIONS), classes),
        "shares of votes": (stage2(EXPRESSIONS), votes),
    }


def gradients(ranks: Ranks) -> dict[str, torch.Tensor]:
    """Losses and gradients of each task, by name."""
    torch.set_num_threads(1)
    images = torch.rand(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    found = {}
    for name, (task, targets) in _tasks().items():
        task.train()
        for module in task.encoders.clip.visual.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()  # on a CPU, each process would normalise by its own share
        share = images[ranks.share(torch.arange(BATCH).numpy())]
        views = [share, share.flip(3)] if isinstance(task, ActivityTask) else [share]
        wrapped = ranks.wrap(task, torch.device("cpu"))
        losses = wrapped(views, targets, 0, ranks.gathering(BATCH))
        sum(losses.values()).backward()
        found |= {f"{name}: {part}": loss.detach() for part, loss in losses.items()}
        found |= {f"{name}: {part}": p.grad.contiguous() for part, p in task.named_parameters() if p.grad is not None}
    return found


def save_gradients(target: Path, world: int) -> None:
    """Check that all ranks have the same gradients, and save them."""
    with connected("cpu", world) as ranks:
        found = gradients(ranks)
        all_ranks = ranks.collect(torch.cat([value.flatten() for value in found.values()])[None].numpy())
        assert len(all_ranks) == world
        assert (all_ranks == all_ranks[:1]).all(), "ranks disagree"
        if ranks.rank == 0:
            save_file(found, target)


if __name__ == "__main__":
    save_gradients(Path(sys.argv[1]), int(sys.argv[2]))
