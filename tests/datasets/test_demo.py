import pytest

from clef.errors import ClefError
from tests.datasets.files import put
from tests.datasets.opened import demo, expressions


def test_unexpected_files_among_videos_and_labels(tmp_path):
    put(tmp_path, "videos/F001/T1.mp4", "videos/M001/T6.mp4", "AUCoding/AU_OCC/F001_T1.csv")
    unexpected = [
        "AUCoding/AU_OCC/F001_T2.csv",  # its recording is missing
        "AUCoding/AU_OCC/F001_T1.CSV",
        "videos/F001/T1 (copy).mp4",
        "videos/F001/T2.MP4",
        "videos/F001/T9.mp4",  # unknown activity
        "videos/F009/T1.mp4",  # unknown subject
        "videos/Élodie/T1.mp4",
    ]
    put(tmp_path, *unexpected, "videos/F001/._T1.mp4", "videos/F001/.DS_Store")
    videos = demo(activities=6)
    sequences = videos.sequences(tmp_path)
    assert [sequence.sequence for sequence in sequences] == ["F001_T1", "M001_T6"]
    assert videos.unexpected_files(tmp_path, sequences) == sorted(unexpected)


def test_stills_are_joined_to_labels_by_image_and_other_files_are_unexpected(tmp_path):
    put(tmp_path, *(f"images/{name}" for name in ("train/00007.jpg", "test/00001.jpg", "train/face.jpg")))
    put(tmp_path, "images/val/00001.jpg", "images/train/00002.png")
    rows = "test/00001.jpg,fear\ntrain/00007.jpg,neutral\ntrain/00009.jpg,fear\n"
    put(tmp_path, "labels.csv", content=f"image,expression\n{rows}")
    stills = expressions("demo_expr")
    sequences = stills.sequences(tmp_path)
    labels = stills.labels(tmp_path, sequences)
    found = dict(zip(labels["sequence"], labels["expression"], strict=True))
    assert found == {"train_00007": "neutral", "test_00001": "fear"}
    assert stills.unexpected_files(tmp_path, sequences) == [
        "images/train/00002.png",
        "images/train/face.jpg",
        "images/val/00001.jpg",
        "labels.csv: images/train/00009.jpg",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,expression\ntrain/00001.jpg,joy\n", "train/00001.jpg: expression 'joy'; expected one of neutral"),
        ("image,expression\na.jpg,fear\na.jpg,neutral\n", "a.jpg is labelled twice"),
        ("image,class\ntrain/00001.jpg,fear\n", "labels.csv: columns image, class; expected image, expression"),
        ("image,expression\n", "no rows; expected the columns image, expression"),
    ],
)
def test_a_broken_label_file_of_stills(tmp_path, text, message):
    put(tmp_path, "images/train/00001.jpg")
    put(tmp_path, "labels.csv", content=text)
    stills = expressions("demo_expr")
    with pytest.raises(ClefError) as caught:
        stills.labels(tmp_path, stills.sequences(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
