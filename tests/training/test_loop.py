import math

import numpy as np
import pytest
import torch
from torch import nn

from clef.errors import ClefError, Unfinished
from clef.model.tasks import Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.training.checkpoint import Recovery
from clef.training.interruption import Interruption
from clef.training.job import Job
from clef.training.loop import Plan, train
from clef.training.metrics_file import MetricsFile

STEPS = 12


class Line(Task):
    """A linear fit with dropout, so that a resumed training must also repeat the dropped units."""

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
    folder, plan: Plan, every_steps: int | None = 3, job: Job | None = None, task: Line | None = None, **more
) -> Line:
    task = task or Line()
    train(
        task,
        plan,
        OptimiserParams(lr_head=0.1),
        CheckpointParams(every_steps=every_steps),
        device=torch.device("cpu"),
        seed=0,
        recovery=Recovery(folder / "work", "key"),
        metrics=MetricsFile(folder / "metrics.jsonl"),
        job=job or Job(),
        **more,
    )
    return task


@pytest.mark.parametrize("stop_at", [1, 3, 5, 11])
def test_a_killed_training_ends_bit_for_bit_as_an_undisturbed_one(tmp_path, stop_at):
    undisturbed = run(tmp_path / "a", plan())
    with pytest.raises(Killed):
        run(tmp_path / "b", plan(stop_at))
    resumed = run(tmp_path / "b", plan())
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    whole, rejoined = (MetricsFile(tmp_path / side / "metrics.jsonl").read() for side in "ab")
    assert [r["step"] for r in rejoined] == list(range(1, STEPS + 1))
    assert [r["train/loss"] for r in rejoined] == [r["train/loss"] for r in whole]


def test_going_on_does_not_start_over(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, plan(stop_at=8))
    assert run(tmp_path, plan()).clamped == STEPS - 6  # the last checkpoint was after step 6


def test_epochs_end_when_they_should_also_after_a_resume(tmp_path):
    ended: list[int] = []
    with pytest.raises(Killed):
        run(tmp_path, plan(stop_at=7, on_epoch=ended.append))
    run(tmp_path, plan(on_epoch=ended.append))
    assert sorted(set(ended)) == [1, 2, 3]


def test_the_loss_falls(tmp_path):
    run(tmp_path, plan())
    losses = [record["train/loss"] for record in MetricsFile(tmp_path / "metrics.jsonl").read()]
    assert losses[-1] < losses[0]


def test_a_loss_that_is_not_finite_stops_at_once(tmp_path):
    with pytest.raises(ClefError, match=r"step 0: loss is not finite \(fit nan\)"):
        run(tmp_path, plan(targets=lambda positions: torch.full((4,), math.nan)))
    assert MetricsFile(tmp_path / "metrics.jsonl").read() == []


class Steep(Line):
    """Its loss stays finite where its gradient does not, as at the square root of zero."""

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


def test_what_checks_after_each_step_stops_before_anything_is_written_of_it(tmp_path):
    checks = iter([None, None, ClefError("lost")])

    def check() -> None:
        if (error := next(checks)) is not None:
            raise error

    with pytest.raises(ClefError, match="lost"):
        run(tmp_path, plan(), check=check)
    assert len(MetricsFile(tmp_path / "metrics.jsonl").read()) == 2


class Impatient(Interruption):
    """Wants to stop after every so many steps."""

    def __init__(self, steps: int):
        super().__init__()
        self.left = steps

    def reason(self):
        self.left -= 1
        return "enough" if self.left == 0 else None


@pytest.mark.parametrize("steps", [1, 5])
def test_a_training_that_stops_by_itself_loses_no_step_and_ends_bit_for_bit_the_same(tmp_path, steps):
    undisturbed = run(tmp_path / "a", plan())
    stops = []
    while True:
        try:
            resumed = run(tmp_path / "b", plan(), every_steps=None, job=Job(interruption=Impatient(steps)))
            break
        except Unfinished as stop:
            stops.append(str(stop))
    saved = range(steps, STEPS, steps)
    assert stops == [f"enough; step {n} of {STEPS} is saved, and the same command goes on from it" for n in saved]
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    assert [record["step"] for record in MetricsFile(tmp_path / "b" / "metrics.jsonl").read()] == [*range(1, STEPS + 1)]
