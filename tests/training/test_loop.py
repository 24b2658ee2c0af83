import math

import numpy as np
import pytest
import torch
from torch import nn

from clef.batches.randomness import torch_seed
from clef.errors import ClefError, Unfinished
from clef.model.tasks import Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.training.checkpoint import Recovery
from clef.training.interruption import Interruption
from clef.training.loop import Execution, Plan, train
from clef.training.metrics_file import MetricsFile

STEPS = 12


class Line(Task):
    """A linear fit with dropout, which a resumed training must repeat."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Dropout(0.3), nn.Linear(12, 1))
        self.clamped = 0

    def losses(self, views, targets, step, gather):
        prediction = gather(self.net(views[0].float().flatten(1)))[:, 0]
        return {"fit": (prediction - targets).square().mean()}

    def clamp(self):
        self.clamped += 1


class Killed(BaseException):
    pass


def plan(stop_at: int | None = None, on_epoch=lambda epoch: None, targets=None) -> Plan:
    def load(steps: range):
        for step in steps:
            if step == stop_at:
                raise Killed
            random = np.random.default_rng(step)
            yield np.arange(4), torch.from_numpy(random.integers(0, 255, (4, 3, 2, 2)).astype(np.uint8))

    return Plan(
        steps=STEPS,
        batch=lambda step: np.arange(4),
        load=load,
        views=lambda images, positions, step: [images / 255],
        targets=targets or (lambda positions: torch.tensor([0.0, 1.0, 2.0, 3.0])),
        epoch_steps=4,
        on_epoch=on_epoch,
    )


def run(
    folder,
    plan: Plan,
    every_steps: int | None = 3,
    execution: Execution | None = None,
    task: Line | None = None,
    seed: int = 0,
    **more,
) -> Line:
    task = task or Line()
    train(
        task,
        plan,
        OptimiserParams(lr_head=0.1),
        CheckpointParams(every_steps=every_steps),
        device=torch.device("cpu"),
        seed=seed,
        recovery=Recovery(folder / "work", "key"),
        metrics=MetricsFile(folder / "metrics.jsonl"),
        execution=execution or Execution(),
        **more,
    )
    return task


@pytest.mark.parametrize("stop_at", [1, 3, 5, 11])
def test_a_killed_training_resumes_to_the_same_bits(tmp_path, stop_at):
    undisturbed = run(tmp_path / "a", plan())
    losses = [record["train/loss"] for record in MetricsFile(tmp_path / "a" / "metrics.jsonl").read()]
    assert losses[-1] < losses[0]
    with pytest.raises(Killed):
        run(tmp_path / "b", plan(stop_at))
    resumed = run(tmp_path / "b", plan())
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    records = MetricsFile(tmp_path / "b" / "metrics.jsonl").read()
    assert [record["step"] for record in records] == list(range(1, STEPS + 1))
    assert [record["train/loss"] for record in records] == losses


def test_a_resumed_training_does_not_start_over(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, plan(stop_at=8))
    assert run(tmp_path, plan()).clamped == STEPS - 6  # the last checkpoint was after step 6


def test_epochs_end_also_after_a_resume(tmp_path):
    ended: list[int] = []
    with pytest.raises(Killed):
        run(tmp_path, plan(stop_at=7, on_epoch=ended.append))
    run(tmp_path, plan(on_epoch=ended.append))
    assert sorted(set(ended)) == [1, 2, 3]


def test_a_loss_that_is_not_finite_stops_at_once(tmp_path):
    with pytest.raises(ClefError, match=r"step 0: loss is not finite \(fit nan\)"):
        run(tmp_path, plan(targets=lambda positions: torch.full((4,), math.nan)))
    assert MetricsFile(tmp_path / "metrics.jsonl").read() == []


class Steep(Line):
    """A task whose gradient is infinite at one step, as that of the square root of zero, but not its loss."""

    def __init__(self, at: int):
        super().__init__()
        self.at = at

    def losses(self, views, targets, step, gather):
        fit = super().losses(views, targets, step, gather)["fit"]
        return {"fit": fit + (fit - fit.detach()).sqrt() if step == self.at else fit}


@pytest.mark.parametrize("at", [2, STEPS - 1])
def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(tmp_path, at):
    task = Steep(at)
    with pytest.raises(ClefError, match=rf"step {at}: gradient is not finite \(norm (inf|nan), loss [\d.]+\); lower"):
        run(tmp_path, plan(), task=task)
    assert all(value.isfinite().all() for value in task.state_dict().values())
    assert len(MetricsFile(tmp_path / "metrics.jsonl").read()) == at


def test_a_failed_check_stops_before_the_step_is_written(tmp_path):
    checks = iter([None, None, ClefError("lost")])

    def check() -> None:
        if (error := next(checks)) is not None:
            raise error

    with pytest.raises(ClefError, match="lost"):
        run(tmp_path, plan(), check=check)
    assert len(MetricsFile(tmp_path / "metrics.jsonl").read()) == 2


class StopAfter(Interruption):
    """Requests a stop after some steps."""

    def __init__(self, steps: int):
        super().__init__()
        self.left = steps

    def reason(self):
        self.left -= 1
        return "enough" if self.left == 0 else None


@pytest.mark.parametrize("steps", [1, 5])
def test_an_interrupted_training_loses_no_step_and_resumes_to_the_same_bits(tmp_path, steps):
    undisturbed = run(tmp_path / "a", plan())
    stops = []
    while True:
        try:
            resumed = run(tmp_path / "b", plan(), every_steps=None, execution=Execution(interruption=StopAfter(steps)))
            break
        except Unfinished as stop:
            stops.append(str(stop))
    saved = range(steps, STEPS, steps)
    assert stops == [f"enough; saved step {n} of {STEPS}, run the same command to resume" for n in saved]
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    assert [record["step"] for record in MetricsFile(tmp_path / "b" / "metrics.jsonl").read()] == [*range(1, STEPS + 1)]


def test_seeds_have_no_upper_limit(tmp_path):
    run(tmp_path, plan(), seed=2**70)
    assert [torch_seed(seed) for seed in (-1, 2**64 - 1, 2**64 + 5)] == [-1, 2**64 - 1, 5]
