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

    def __init__(self, steep_at: int | None = None):
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Dropout(0.3), nn.Linear(12, 1))
        self.clamped = 0
        self.steep_at = steep_at

    def losses(self, views, targets, step, gather):
        prediction = gather(self.net(views[0].float().flatten(1)))[:, 0]
        fit = (prediction - targets).square().mean()
        if step == self.steep_at:  # an infinite gradient, but no infinite loss
            fit = fit + (fit - fit.detach()).sqrt()
        return {"fit": fit}

    def clamp(self):
        self.clamped += 1


def plan(stop_at: int | None = None, on_epoch=lambda epoch: None, targets=None) -> Plan:
    def load(steps: range):
        for step in steps:
            if step == stop_at:
                raise KeyboardInterrupt
            random = np.random.default_rng(step)
            yield np.arange(4), [torch.from_numpy(random.integers(0, 255, (4, 3, 2, 2)).astype(np.float32)) / 255]

    return Plan(
        steps=STEPS,
        batch=lambda step: np.arange(4),
        load=load,
        targets=targets or (lambda positions: torch.tensor([0.0, 1.0, 2.0, 3.0])),
        epoch_steps=4,
        on_epoch=on_epoch,
    )


def run(folder, plan: Plan, task: Line | None = None, every_steps: int | None = 3, **more) -> Line:
    task = task or Line()
    train(
        task,
        plan,
        OptimiserParams(lr_head=0.1),
        CheckpointParams(every_steps=every_steps),
        device=torch.device("cpu"),
        recovery=Recovery(folder / "work", "key"),
        metrics=MetricsFile(folder / "metrics.jsonl"),
        **{"seed": 0, "execution": Execution(), **more},
    )
    return task


def records(folder) -> list[dict]:
    return MetricsFile(folder / "metrics.jsonl").read()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Weights and losses of a training without interruptions."""
    folder = tmp_path_factory.mktemp("undisturbed")
    weights = run(folder, plan()).state_dict()
    losses = [record["train/loss"] for record in records(folder)]
    assert losses[-1] < losses[0]
    return weights, losses


def require_same(task: Line, folder, undisturbed) -> None:
    """Check weights and metrics bit for bit."""
    weights, losses = undisturbed
    assert all(torch.equal(value, task.state_dict()[name]) for name, value in weights.items())
    found = [(record["step"], record["train/loss"]) for record in records(folder)]
    assert found == list(enumerate(losses, start=1))


@pytest.mark.parametrize(("stop_at", "saved"), [(1, 0), (3, 3), (5, 3), (8, 6), (11, 9)])
def test_a_killed_training_resumes_from_its_checkpoint_to_the_same_bits(tmp_path, undisturbed, stop_at, saved):
    ended: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, plan(stop_at, ended.append))
    resumed = run(tmp_path, plan(on_epoch=ended.append))
    assert resumed.clamped == STEPS - saved
    assert sorted(set(ended)) == [1, 2, 3]
    require_same(resumed, tmp_path, undisturbed)


class StopAfter(Interruption):
    """Requests a stop after some steps."""

    def __init__(self, steps: int):
        super().__init__()
        self.left = steps

    def reason(self):
        self.left -= 1
        return "enough" if self.left == 0 else None


@pytest.mark.parametrize("steps", [1, 5])
def test_an_interrupted_training_loses_no_step_and_resumes_to_the_same_bits(tmp_path, undisturbed, steps):
    def resume() -> Line:
        return run(tmp_path, plan(), every_steps=None, execution=Execution(interruption=StopAfter(steps)))

    for saved in range(steps, STEPS, steps):
        with pytest.raises(Unfinished, match=f"enough; saved step {saved} of {STEPS}, run the same command to resume"):
            resume()
    require_same(resume(), tmp_path, undisturbed)


def test_a_loss_that_is_not_finite_stops_at_once(tmp_path):
    with pytest.raises(ClefError, match=r"step 0: loss is not finite \(fit nan\)"):
        run(tmp_path, plan(targets=lambda positions: torch.full((4,), math.nan)))
    assert records(tmp_path) == []


@pytest.mark.parametrize("at", [2, 4, STEPS - 1])
def test_a_gradient_that_is_not_finite_stops_before_the_weights_are_saved_or_predicted_with(tmp_path, at):
    task, ended = Line(steep_at=at), []
    with pytest.raises(ClefError, match=rf"step {at}: gradient is not finite \(norm (inf|nan), loss [\d.]+\); lower"):
        run(tmp_path, plan(on_epoch=ended.append), task)
    assert len(records(tmp_path)) == at
    assert ended == list(range(1, at // 4 + 1))
    state = Recovery(tmp_path / "work", "key").load(torch.device("cpu"))
    if at == 2:
        assert state is None
    else:
        assert state["step"] == at // 3 * 3
        assert all(value.isfinite().all() for value in state["model"].values())


def test_each_record_has_its_own_step_and_what_it_waited_for_images(tmp_path):
    run(tmp_path, plan())
    assert [record["step"] for record in records(tmp_path)] == list(range(1, STEPS + 1))
    assert all(0 < record["speed/share_waiting_for_images"] < 1 for record in records(tmp_path))


def test_a_failed_check_stops_before_the_step_is_written(tmp_path):
    checks = iter([None, None])
    with pytest.raises(StopIteration):
        run(tmp_path, plan(), check=lambda: next(checks))
    assert len(records(tmp_path)) == 2


def test_seeds_have_no_upper_limit(tmp_path):
    run(tmp_path, plan(), seed=2**70)
    assert [torch_seed(seed) for seed in (-1, 2**64 - 1, 2**64 + 5)] == [-1, 2**64 - 1, 5]


def test_speed_leaves_out_what_happens_after_an_epoch(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def predict(epoch):
        clock[0] += 1000

    def targets(positions):
        clock[0] += 1
        return torch.tensor([0.0, 1.0, 2.0, 3.0])

    run(tmp_path, plan(on_epoch=predict, targets=targets), every_steps=None)
    assert {record["speed/images_per_second"] for record in records(tmp_path)} == {4.0}
