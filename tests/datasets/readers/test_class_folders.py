"""Class folders: names give the class, numbers need a list of names, and nothing is guessed."""

import pytest

from clef.datasets.readers.class_folders import ClassFolders, class_names
from clef.errors import ClefError
from tests.datasets.files import put

KNOWN = ("anger", "happiness", "neutral")


def find(root, classes=None) -> ClassFolders | None:
    return ClassFolders.find(root, KNOWN, classes)


def test_names_give_the_class_in_any_form_and_letter_case(tmp_path):
    put(
        tmp_path,
        "copy/Train/Angry/1.jpg",
        "copy/Train/happy/1.png",
        "copy/VALID/anger/1.jpg",
        "copy/VALID/neutral/2.jpg",
    )
    put(tmp_path, "copy/Train/Angry/Thumbs.db")
    copy = find(tmp_path)
    assert copy.class_of == {"Angry": "anger", "happy": "happiness", "anger": "anger", "neutral": "neutral"}
    assert [(image.split, image.name) for image in copy.images()] == [
        ("train", "train_Angry_1.jpg"),
        ("train", "train_happy_1.png"),
        ("test", "test_anger_1.jpg"),
        ("test", "test_neutral_2.jpg"),
    ]
    assert str(tmp_path / "copy/Train/Angry/Thumbs.db") in copy.image_files()


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_have_the_names_of_the_list_in_their_order(tmp_path, first):
    put(tmp_path, *(f"{split}/{first + number}/1.jpg" for split in ("train", "test") for number in range(3)))
    order = ["neutral", "anger", "happiness"]
    assert find(tmp_path, order).class_of == {str(first + number): name for number, name in enumerate(order)}
    assert class_names({"2", "10", "09"}, order, "") == {"2": "neutral", "09": "anger", "10": "happiness"}


@pytest.mark.parametrize(
    ("names", "classes", "message"),
    [
        (
            ["train/0/1.jpg", "train/1/1.jpg", "test/0/1.jpg"],
            None,
            r"classes are numbered 0, 1, and dataset\.options\.classes does not name them; expected the names in",
        ),
        (["train/1/1.jpg", "test/1/1.jpg"], ["anger", "neutral"], r"numbered 1, and .*classes lists 2 names; expected"),
        (["train/0/1.jpg", "test/0/1.jpg"], ["rage"], r"classes: no class rage; expected some of anger, happiness"),
        (["train/anger/1.jpg", "test/rage/1.jpg"], None, r"a folder rage among .* expected numbers or anger, .*; move"),
        (
            ["train/anger/1.jpg", "test/anger/1.jpg", "val/anger/1.jpg"],
            None,
            "test and val both hold images of the spl",
        ),
        (["a/train/anger/1.jpg", "a/test/1.jpg", "b/train/1.jpg", "b/val/1.jpg"], None, "a and b both hold train and"),
    ],
)
def test_folders_whose_classes_are_not_certain_are_refused(tmp_path, names, classes, message):
    put(tmp_path, *names)
    with pytest.raises(ClefError, match=message) as caught:
        find(tmp_path, classes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [["train/anger/1.jpg"], ["train/images/1.jpg", "test/images/1.jpg"], ["anger/1.jpg"]])
def test_other_folders_are_no_class_folders(tmp_path, names):
    put(tmp_path, *names)
    assert find(tmp_path) is None
    assert find(tmp_path / "missing") is None
