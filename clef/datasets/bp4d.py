"""BP4D (BP4D-Spontaneous): 41 people in eight tasks, all of them coded for action units.

The full release has Sequences/F001/T1/0000.jpg, numbered from 0, and AUCoding/AU_OCC/F001_T1.csv. The FERA-2015
release has BP4D-training/F001/T1/2440.jpg, the coded frames only under the numbers of the labels, and
AUCoding/F001_T1.csv. The videos are 2F01_01.avi, with the numbers that the tasks had when they were filmed.
"""

import re
from pathlib import Path
from typing import ClassVar

from clef.datasets.bp4d_family import Bp4dFamily
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.readers.packagings import Images, Videos

FILMED_AS = {"01": "T1", "03": "T2", "07": "T3", "08": "T4", "09": "T5", "10": "T6", "11": "T7", "13": "T8"}
"""Task by its number in the name of a video; tasks of other numbers were not released."""
BENCHMARK = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
CODED = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 27, 28)
"""Action units that are coded in some recording; only the benchmark's are in all."""

THREE_FOLDS = [
    "F001 F002 F008 F009 F010 F016 F018 F023 M001 M004 M007 M008 M012 M014",
    "F003 F005 F011 F013 F020 F022 M002 M005 M010 M011 M013 M016 M017 M018",
    "F004 F006 F007 F012 F014 F015 F017 F019 F021 M003 M006 M009 M015",
]
"""The field's three parts P1, P2, P3; which of them is called fold 1 differs from paper to paper."""
PUBLISHED_AS = [
    "P1: part 1 of JAA-Net, test of fold 3 of ME-GraphAU, MDHR and AUNCE, fold 0 of FG-Net, 1 of DRML, AUNets and FMAE",
    "P2: part 2 of JAA-Net, test of fold 2 of ME-GraphAU, MDHR and AUNCE, fold 1 of FG-Net, 2 of DRML, AUNets and FMAE",
    "P3: part 3 of JAA-Net, test of fold 1 of ME-GraphAU, MDHR and AUNCE, fold 2 of FG-Net, 3 of DRML, AUNets and FMAE",
]


class Bp4d(Bp4dFamily):
    """See the module."""

    title = "BP4D"
    all_subjects: ClassVar = [f"F{n:03d}" for n in range(1, 24)] + [f"M{n:03d}" for n in range(1, 19)]
    label_names: ClassVar = [f"AU{number:02d}" for number in CODED]
    optional = frozenset(CODED) - frozenset(BENCHMARK)
    activities: ClassVar = {
        "T1": "joke",
        "T2": "documentary",
        "T3": "startle",
        "T4": "song",
        "T5": "dart",
        "T6": "cold_water",
        "T7": "insult",
        "T8": "smell",
    }
    coded = tuple(activities)
    packagings = (Images, Videos)
    video = re.compile(
        r"(?:2(?P<sex>[FM])(?P<id>\d\d)_(?P<filmed>\d\d)|(?P<subject>[FM]\d{3})_(?P<task>T\d))\.(?:avi|mp4|mkv|mov|wmv)",
        re.IGNORECASE,
    )
    releases: ClassVar = {("images", 0): "full release", ("images", 1): "FERA-2015"}
    expected = (
        "Sequences/F001/T1/0000.jpg (full release), BP4D-training/F001/T1/2440.jpg (FERA-2015) or 2F01_01.avi (videos)"
    )
    partitions: ClassVar = {"three-fold": [fold.split() for fold in THREE_FOLDS]}
    published_as: ClassVar = {"three-fold": PUBLISHED_AS}
    published_counts: ClassVar = PublishedCounts(
        source="counts of the label lists in github.com/CVI-SZU/ME-GraphAU and MDHR; "
        "they give ME-GraphAU's class weights to the sixth digit",
        subjects=41,
        sequences=328,
        labelled_sequences=328,
        labelled_frames=146_847,
        frames_by={
            "activity": dict(
                zip(activities, (20_074, 20_837, 12_821, 20_208, 20_795, 19_553, 20_339, 12_220), strict=True)
            ),
            "fold": {"P1": 50_631, "P2": 50_182, "P3": 46_034},
        },
        rates={
            "AU01": 0.211,
            "AU02": 0.171,
            "AU04": 0.203,
            "AU06": 0.461,
            "AU07": 0.549,
            "AU10": 0.594,
            "AU12": 0.562,
            "AU14": 0.466,
            "AU15": 0.169,
            "AU17": 0.343,
            "AU23": 0.165,
            "AU24": 0.151,
        },
    )

    @classmethod
    def read_video_name(cls, name: str) -> tuple[str, str] | None:
        """Also by FERA's and the laboratory's numbering: 2F01_03 is F001 in T2."""
        match = cls.video.fullmatch(name)
        if match is None or match["subject"]:
            return super().read_video_name(name)
        return f"{match['sex'].upper()}0{match['id']}", FILMED_AS.get(match["filmed"], f"filmed as {match['filmed']}")

    @classmethod
    def write_video_name(cls, example: str, subject: str, task: str) -> str:
        match = cls.video.fullmatch(example)
        if match is None or match["subject"]:
            return super().write_video_name(example, subject, task)
        sex = subject[0].lower() if match["sex"].islower() else subject[0]
        filmed = next(number for number, other in FILMED_AS.items() if other == task)
        return f"2{sex}{subject[2:]}_{filmed}{Path(example).suffix}"


ADAPTER = Bp4d
