"""BP4D (BP4D-Spontaneous): 41 subjects in eight tasks, all with action-unit labels.

Full release: Sequences/F001/T1/0000.jpg, numbered from 0, and AUCoding/AU_OCC/F001_T1.csv.
FERA-2015: BP4D-training/F001/T1/2440.jpg, only labelled frames, numbered like the labels, and AUCoding/F001_T1.csv.
Videos: 2F01_01.avi, numbered by the original tasks, of which eight were released.
"""

import re
from typing import ClassVar

from clef.datasets.bp4d_family import BENCHMARK, BENCHMARK_LABELS, Bp4dFamily
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.readers.packagings import ImageFolders, VideoFiles

TASK_OF_VIDEO = {"01": "T1", "03": "T2", "07": "T3", "08": "T4", "09": "T5", "10": "T6", "11": "T7", "13": "T8"}
"""Released task, by the number in a video name."""
CODED = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 27, 28)
"""Action units coded in some recordings; those of the benchmark are coded in all."""

THREE_FOLDS = [
    "F001 F002 F008 F009 F010 F016 F018 F023 M001 M004 M007 M008 M012 M014",
    "F003 F005 F011 F013 F020 F022 M002 M005 M010 M011 M013 M016 M017 M018",
    "F004 F006 F007 F012 F014 F015 F017 F019 F021 M003 M006 M009 M015",
]
"""The standard parts P1, P2 and P3. Papers differ in which of them they call fold 1."""
PUBLISHED_AS = [
    f"P{part}: part {part} of JAA-Net, test of fold {4 - part} of ME-GraphAU, MDHR and AUNCE, "
    f"fold {part - 1} of FG-Net, {part} of DRML, AUNets and FMAE"
    for part in (1, 2, 3)
]
TASKS = ("joke", "documentary", "startle", "song", "dart", "cold_water", "insult", "smell")
"""Activities of T1, T2 ..., by their keys in the texts file."""
FRAMES = (20_074, 20_837, 12_821, 20_208, 20_795, 19_553, 20_339, 12_220)
RATES = (0.211, 0.171, 0.203, 0.461, 0.549, 0.594, 0.562, 0.466, 0.169, 0.343, 0.165, 0.151)


class Bp4d(Bp4dFamily):
    """Adapter of BP4D."""

    title = "BP4D"
    all_subjects: ClassVar = [f"F{n:03d}" for n in range(1, 24)] + [f"M{n:03d}" for n in range(1, 19)]
    label_names: ClassVar = [f"AU{number:02d}" for number in CODED]
    optional = frozenset(CODED) - frozenset(BENCHMARK)
    activities: ClassVar = {f"T{number}": name for number, name in enumerate(TASKS, start=1)}
    coded = tuple(activities)
    packagings = (ImageFolders, VideoFiles)
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
            "activity": dict(zip(activities, FRAMES, strict=True)),
            "fold": {"P1": 50_631, "P2": 50_182, "P3": 46_034},
        },
        rates=dict(zip(BENCHMARK_LABELS, RATES, strict=True)),
    )

    @classmethod
    def read_video_name(cls, name: str) -> tuple[str, str] | None:
        """Read names such as F001_T2 and the original ones: 2F01_03 is F001 in T2."""
        match = cls.video.fullmatch(name)
        if match is None or match["subject"]:
            return super().read_video_name(name)
        task = TASK_OF_VIDEO.get(match["filmed"], f"original task {match['filmed']}")
        return f"{match['sex'].upper()}0{match['id']}", task


ADAPTER = Bp4d
