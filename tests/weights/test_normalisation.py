from open_clip import constants

from clef.weights.normalisation import PUBLISHED


def test_published_statistics_are_those_of_open_clip():
    names = {"clip": "OPENAI_DATASET", "imagenet": "IMAGENET", "inception": "INCEPTION"}
    for name, prefix in names.items():
        assert PUBLISHED[name]["mean"] == list(getattr(constants, f"{prefix}_MEAN"))
        assert PUBLISHED[name]["std"] == list(getattr(constants, f"{prefix}_STD"))
