from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clef.batches.sampling import (
    CrossedBatches,
    EpochBatches,
    cross_subject_share,
    label_budget,
    permute_activities,
)
from clef.errors import ClefError


def table(lengths, clips=1, seed=0):
    """Return shuffled columns of frames, for clips of these lengths, (subject, activity); 0 for no clip."""
    rows = [
        (f"F{s:03d}", f"T{a + 1}", f"F{s:03d}_T{a + 1}_{clip}", 3 * frame + 7)
        for (s, a), length in np.ndenumerate(np.asarray(lengths))
        for clip in range(clips)
        for frame in range(length)
    ]
    np.random.default_rng(seed).shuffle(rows)
    subject, activity, clip, position = zip(*rows, strict=True) if rows else ((), (), (), ())
    return np.array(subject), np.array(activity), np.array(clip), np.array(position, dtype=int)


def crossed(columns, subjects, activities, frames, seed=0):
    return CrossedBatches(*columns, seed=seed, subjects=subjects, activities=activities, frames=frames)


@st.composite
def incomplete_tables(draw):
    shape = draw(st.integers(2, 6)), draw(st.integers(2, 5))
    lengths = draw(st.lists(st.sampled_from([0, 1, 4, 5]), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    wanted = draw(st.integers(2, 3)), draw(st.integers(2, 3)), draw(st.integers(1, 2))
    return np.array(lengths).reshape(shape), *wanted


def drawable(lengths, subjects, activities, frames):
    """Find the cells that fit into some batch, by trying every set of activities."""
    present = lengths >= frames
    cells = np.zeros_like(present)
    for chosen in combinations(range(present.shape[1]), activities):
        complete = present[:, chosen].all(axis=1)
        if complete.sum() >= subjects:
            cells[np.ix_(complete, np.array(chosen))] = True
    return cells


@settings(max_examples=150)
@given(incomplete_tables(), st.integers(0, 3))
def test_batches_of_incomplete_tables_are_crossed_and_draw_every_possible_frame(case, seed):
    lengths, subjects, activities, frames = case
    columns = table(lengths)
    subject, activity, clip, _ = columns
    cells = drawable(lengths, subjects, activities, frames)
    if not cells.any():
        with pytest.raises(ClefError, match="crossed batches"):
            crossed(columns, subjects, activities, frames, seed)
        return
    batches = crossed(columns, subjects, activities, frames, seed)

    lost = [f"F{s:03d}" for s in range(len(lengths)) if not cells[s].any()]
    assert batches.never_drawn == [name for name in lost if name in subject]
    rows, cols = (np.array([int(name[1:]) for name in names]) for names in (subject, activity))
    np.testing.assert_array_equal(batches.unused, np.flatnonzero(~cells[rows, cols - 1]))

    left, step = set(range(len(subject))) - set(batches.unused), 0
    while left and step < 1000:  # 200 steps suffice for 999 of 1000 such tables
        batch = batches.batch(step)
        grid = batch.reshape(subjects, activities, frames)
        assert (subject[grid] == subject[grid][:, :1, :1]).all()
        assert (activity[grid] == activity[grid][:1, :, :1]).all()
        assert (clip[grid] == clip[grid][:, :, :1]).all()
        assert len(set(subject[grid][:, 0, 0])) == subjects
        assert len(set(activity[grid][0, :, 0])) == activities
        assert len(set(batch)) == len(batch)
        assert not set(batch) & set(batches.unused)
        left -= set(batch)
        step += 1
    assert not left


@pytest.mark.parametrize("length", [2, 9, 10, 31])
def test_two_frames_of_a_clip_are_half_a_clip_apart(length):
    columns = table(np.full((3, 2), length))
    batches = crossed(columns, 3, 2, 2)
    first = set()
    for step in range(length):
        batch = batches.batch(step).reshape(-1, 2)
        place = (columns[3][batch] - 7) // 3
        apart = np.abs(place[:, 0] - place[:, 1])
        assert (np.minimum(apart, length - apart) == length // 2).all()
        first.update(batch[:, 0])
    assert len(first) == 3 * 2 * length  # each frame of each clip comes first once


def test_a_complete_table_is_drawn_evenly():
    columns = table(np.full((10, 6), 12))
    batches = crossed(columns, 4, 4, 2)
    steps = 15  # 60 turns of 10 subjects and of 6 activities
    drawn = np.concatenate([batches.batch(step) for step in range(steps)])
    assert set(np.unique(columns[0][drawn], return_counts=True)[1]) == {steps * 4 * 4 * 2 // 10}
    assert set(np.unique(columns[1][drawn], return_counts=True)[1]) == {steps * 4 * 4 * 2 // 6}
    assert batches.never_drawn == []
    assert len(batches.unused) == 0


@pytest.mark.parametrize(("length", "clips", "frames"), [(14, 1, 2), (5, 3, 1)])
def test_with_all_activities_in_a_batch_an_epoch_draws_every_frame_once(length, clips, frames):
    columns = table(np.full((8, 3), length), clips=clips)
    batches = crossed(columns, 4, 3, frames)
    assert batches.batch_size == 4 * 3 * frames
    for epoch in range(2):
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        drawn = np.concatenate([batches.batch(step) for step in steps])
        assert sorted(drawn) == list(range(8 * 3 * length * clips))


def test_a_subject_that_lacks_an_activity_is_drawn_with_its_others():
    lengths = np.full((8, 5), 6)
    lengths[3, 1] = 0
    columns = table(lengths)
    batches = crossed(columns, 4, 3, 2)
    assert batches.never_drawn == []
    met = np.concatenate([columns[0][batches.batch(step)] for step in range(200)])
    assert 0.4 < (met == "F003").mean() * 8 < 1.1


def test_a_batch_is_a_function_of_seed_and_step():
    columns = table(np.full((6, 4), 20))
    here, there, other = (crossed(columns, 3, 3, 2, seed) for seed in (0, 0, 1))
    forwards = [here.batch(step).tolist() for step in range(12)]
    backwards = [there.batch(step).tolist() for step in reversed(range(12))]
    assert forwards == backwards[::-1]
    assert all(here.batch(step).tolist() != other.batch(step).tolist() for step in range(12))


@pytest.mark.parametrize(
    ("lengths", "wanted", "message"),
    [
        (np.full((3, 4), 5), (4, 2, 2), r"3 subjects have clips.* pretrain.subjects is 4"),
        (np.full((3, 4), 5), (2, 5, 2), r"4 activities have clips.* pretrain.activities is 5"),
        (np.full((3, 4), 1), (2, 2, 2), r"0 subjects have clips of 2 or more usable frames"),
        (5 * np.eye(4, dtype=int), (2, 2, 2), r"no 2 subjects share 2 activities \(0 subjects have that many"),
        (np.zeros((2, 2), dtype=int), (2, 2, 1), r"0 subjects"),
    ],
)
def test_impossible_batches_are_an_error_that_names_the_shortage(lengths, wanted, message):
    with pytest.raises(ClefError, match=message) as caught:
        crossed(table(lengths), *wanted)
    assert "\n" not in str(caught.value)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=12))
def test_cross_subject_share_counts_pairs(images):
    pairs = [one[0] != other[0] for one, other in combinations(images, 2) if one[1] == other[1]]
    share = cross_subject_share(np.array([s for s, _ in images]), np.array([a for _, a in images]))
    assert share == pytest.approx(np.mean(pairs) if pairs else np.nan, nan_ok=True)


@given(samples=st.integers(1, 40), size=st.integers(1, 12), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_an_epoch_draws_no_sample_twice_and_drops_only_the_remainder(samples, size, seed, epoch):
    batches = EpochBatches(samples, size, seed)
    per_epoch = batches.steps_per_epoch
    drawn = [batches.batch(epoch * per_epoch + step) for step in range(per_epoch)]
    assert {len(batch) for batch in drawn} == {min(size, samples)}
    everything = np.concatenate(drawn)
    assert len(set(everything)) == len(everything) == samples - samples % min(size, samples)
    assert set(everything) <= set(range(samples))


def test_epochs_differ_and_draw_every_sample_and_balanced_ones_shuffle_the_classes():
    with pytest.raises(ClefError, match="no training frames"):
        EpochBatches(0, 4, 0)
    classes = np.arange(40) % 4
    balanced = EpochBatches(40, 8, 0, classes)
    assert {int(classes[balanced.batch(step)[0]]) for step in range(40)} == {0, 1, 2, 3}
    batches = EpochBatches(50, 8, 0)
    epochs = [np.concatenate([batches.batch(6 * e + s) for s in range(6)]).tolist() for e in range(20)]
    assert len({tuple(epoch) for epoch in epochs}) == 20
    assert set(np.concatenate(epochs)) == set(range(50))


@pytest.mark.parametrize("classes", [None, np.arange(50) % 3])
def test_epoch_batches_are_a_function_of_seed_and_step(classes):
    here, there = EpochBatches(50, 8, 3, classes), EpochBatches(50, 8, 3, classes)
    forwards = [here.batch(step).tolist() for step in range(30)]
    assert forwards == [there.batch(step).tolist() for step in reversed(range(30))][::-1]
    assert forwards != [EpochBatches(50, 8, 4, classes).batch(step).tolist() for step in range(30)]
    here.batch(0)[:] = -1
    assert here.batch(0).tolist() == forwards[0]


@given(st.lists(st.sampled_from([0, 1, 1, 1, 1, 4]), min_size=1, max_size=40), st.integers(1, 9))
def test_balanced_batches_draw_classes_and_their_samples_equally_often(labels, size):
    classes = np.array(labels)
    batches = EpochBatches(len(classes), size, 0, classes)
    drawn = np.concatenate([batches.batch(step) for step in range(60)])
    for values in (classes[drawn], *(drawn[classes[drawn] == value] for value in set(labels))):
        counts = np.unique(values, return_counts=True)[1]
        assert counts.max() - counts.min() <= 1
    assume(len(drawn) >= len(classes) * len(set(labels)))
    assert set(drawn) == set(range(len(classes)))


@given(
    subjects=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60),
    shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    of=st.sampled_from(["frames", "subjects"]),
    seed=st.integers(0, 9),
)
def test_a_label_budget_is_a_share_of_frames_or_of_whole_subjects_and_nested(subjects, shares, of, seed):
    names = np.array(subjects)
    few, many = (set(label_budget(names, share, of, seed, 0).tolist()) for share in sorted(shares))
    assert few
    assert few <= many
    total = len(names) if of == "frames" else len(set(subjects))
    drawn = len(few) if of == "frames" else len(set(names[list(few)]))
    assert drawn == max(1, round(min(shares) * total))
    if of == "subjects":
        assert few == set(np.flatnonzero(np.isin(names, names[list(few)])).tolist())


def test_folds_learn_from_different_subjects_under_a_label_budget():
    names = np.array(list("abcdefghijkl"))
    drawn = {names[label_budget(names, 0.1, "subjects", 0, fold)].item() for fold in range(3)}
    assert len(drawn) > 1


@given(
    cells=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), min_size=1, max_size=40),
    seed=st.integers(0, 9),
)
def test_permuted_activities_are_a_bijection_within_each_subject(cells, seed):
    subjects, activities = (np.array(column) for column in zip(*cells, strict=True))
    permuted = permute_activities(subjects, activities, seed)
    for subject in set(subjects.tolist()):
        own = subjects == subject
        pairs = set(zip(activities[own].tolist(), permuted[own].tolist(), strict=True))
        before, after = (sorted(column) for column in zip(*pairs, strict=True))
        assert before == after == sorted(set(activities[own].tolist()))
