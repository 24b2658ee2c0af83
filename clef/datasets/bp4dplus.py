"""BP4D+ (MMSE): 140 subjects in ten tasks, four of them with action-unit labels.

2D+3D/F001.zip with F001/T1/0000.jpg inside (read without unpacking), or unpacked, or videos F001_T1.mp4; and
AUCoding/AU_OCC/F001_T1.csv. Images are numbered from 0, labels from 1. Images of occluded faces may be missing.
"""

import re
from typing import ClassVar

from clef.datasets.bp4d_family import BENCHMARK_LABELS, Bp4dFamily
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.readers.packagings import ImageFolders, SubjectZips, VideoFiles

CODED = (
    1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
    37, 38, 39,
)  # fmt: skip
UNCODABLE = 99

FMAE = [
    "F004 F013 F014 F019 F020 F026 F033 F038 F039 F044 F046 F047 F053 F057 F061 F066 F071 F072 F076 F079 M003 "
    "M004 M015 M017 M020 M025 M026 M029 M033 M036 M040 M042 M048 M050 M051",
    "F012 F016 F022 F024 F028 F030 F031 F032 F034 F056 F060 F065 F074 F075 F077 M001 M005 M009 M011 M016 M018 "
    "M019 M022 M023 M028 M034 M037 M038 M043 M044 M045 M046 M047 M052 M055",
    "F001 F002 F008 F009 F017 F021 F027 F029 F035 F040 F042 F043 F045 F050 F052 F054 F058 F062 F063 F064 F068 "
    "F069 F078 F080 M008 M010 M024 M027 M030 M031 M035 M041 M054 M056 M057",
    "F003 F005 F006 F007 F010 F011 F015 F018 F023 F025 F036 F037 F041 F048 F049 F051 F055 F059 F067 F070 F073 "
    "F081 F082 M002 M006 M007 M012 M013 M014 M021 M032 M039 M049 M053 M058",
]
"""Test subjects of the four folds of FMAE-IAT. BP4D+ has no standard partition."""

BIGSMALL = (
    "F003 F004 F005 F006 F009 F017 F022 F028 F029 F031 F032 F033 F038 F044 F047 F048 F052 F053 F055 F061 F063 F067 "
    "F068 F074 F075 F076 F081 M003 M005 M006 M009 M012 M019 M025 M026 M028 M031 M036 M037 M040 M046 M047 M049 M051 "
    "M054 M056",
    "F001 F002 F008 F018 F021 F025 F026 F035 F036 F037 F039 F040 F041 F042 F046 F049 F057 F058 F060 F062 F064 F066 "
    "F070 F071 F072 F073 F077 M001 M002 M007 M013 M014 M016 M022 M023 M024 M027 M029 M030 M034 M035 M041 M042 M043 "
    "M048 M055",
    "F007 F010 F011 F012 F013 F014 F015 F016 F019 F020 F023 F024 F027 F030 F034 F043 F045 F050 F051 F054 F056 F059 "
    "F065 F069 F078 F079 F080 M004 M008 M010 M011 M015 M017 M018 M020 M021 M032 M033 M038 M039 M044 M045 M050 M052 "
    "M053 M057 M058",
)
"""Test subjects of the three splits of BigSmall, without F082, whose data is incomplete."""
TASKS = (
    "joke", "avatar", "emergency_call", "startle", "odd_question", "song", "dart", "cold_water", "complaint", "smell",
)  # fmt: skip
"""Activities of T1, T2 ..., by their keys in the texts file."""
RATES = (0.097, 0.082, 0.058, 0.497, 0.663, 0.647, 0.578, 0.600, 0.107, 0.130, 0.167, 0.039)


class Bp4dPlus(Bp4dFamily):
    """Adapter of BP4D+."""

    title = "BP4D+"
    all_subjects: ClassVar = [f"F{n:03d}" for n in range(1, 83)] + [f"M{n:03d}" for n in range(1, 59)]
    label_names: ClassVar = [f"AU{number:02d}" for number in CODED]
    by_position: ClassVar = [0, *CODED, UNCODABLE]
    activities: ClassVar = {f"T{number}": name for number, name in enumerate(TASKS, start=1)}
    coded = ("T1", "T6", "T7", "T8")
    packagings = (SubjectZips, ImageFolders, VideoFiles)
    video = re.compile(r"(?P<subject>[FM]\d{3})_(?P<task>T\d+)\.(?:avi|mp4|mkv|mov|wmv)", re.IGNORECASE)
    expected = "2D+3D/F001.zip (as released), 2D+3D/F001/T1/0000.jpg (unpacked) or F001_T1.mp4 (videos)"
    partitions: ClassVar = {"fmae": [fold.split() for fold in FMAE], "bigsmall": [fold.split() for fold in BIGSMALL]}
    published_as: ClassVar = {
        "fmae": [f"fold {number} of FMAE-IAT" for number in range(1, 5)],
        "bigsmall": [f"split {number} of BigSmall" for number in range(1, 4)],
    }
    published_counts: ClassVar = PublishedCounts(
        source="counts of the label sums in github.com/scanavan/MultimodalExpressionAnalysis",
        subjects=140,
        sequences=1400,
        labelled_sequences=560,
        labelled_frames=197_875,
        uncodable_frames=944,
        frames_by={"activity": {"T1": 53_460, "T6": 53_495, "T7": 37_638, "T8": 53_282}},
        rates=dict(zip(BENCHMARK_LABELS, RATES, strict=True)),
        known_missing={
            "F041_T7": "left out by BigSmall",
            "F082_T1": "left out by others, and F082 altogether by BigSmall",
        },
    )


ADAPTER = Bp4dPlus
