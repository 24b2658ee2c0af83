"""Behaviour of the demo's people: activities, rates of action units in each, and expressions.

This module imports nothing, because the workflow reads it to build its rules.
"""

VERSION = 2
"""Raise this when the same settings give different files; the sets are then rendered again."""

ACTION_UNITS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
"""The labelled action units, the twelve of BP4D."""

UPPER_FACE = (1, 2, 4, 6, 7)
"""The action units that stay visible while a hand covers the mouth."""

ACTIVITIES = {"T1": "joke", "T2": "documentary", "T3": "startle", "T4": "cold_water", "T5": "insult", "T6": "smell"}
"""Name of each activity, which is the key of its description in the texts file."""

RATES = {
    #               1     2     4     6     7    10    12    14    15    17    23    24
    "joke":        (0.14, 0.21, 0.04, 0.89, 0.49, 0.53, 0.90, 0.55, 0.04, 0.11, 0.06, 0.04),
    "documentary": (0.70, 0.10, 0.69, 0.04, 0.14, 0.06, 0.04, 0.13, 0.74, 0.62, 0.08, 0.30),
    "startle":     (0.81, 0.87, 0.07, 0.19, 0.10, 0.19, 0.41, 0.16, 0.06, 0.07, 0.21, 0.08),
    "cold_water":  (0.18, 0.08, 0.58, 0.52, 0.73, 0.28, 0.28, 0.47, 0.34, 0.38, 0.56, 0.52),
    "insult":      (0.07, 0.30, 0.76, 0.06, 0.62, 0.21, 0.07, 0.39, 0.21, 0.51, 0.74, 0.72),
    "smell":       (0.09, 0.08, 0.66, 0.56, 0.62, 0.87, 0.17, 0.23, 0.43, 0.66, 0.11, 0.11),
}  # fmt: skip
"""Share of frames with each action unit, by activity, for a person without habits.

The profiles differ, so that stage 1 can learn something, but overlap: the activity hints at the action units without
determining them.
"""

CO_OCCURRENCE = {
    (1, 2): 0.60, (1, 15): 0.20, (2, 4): -0.25, (4, 7): 0.45, (4, 10): 0.20, (6, 7): 0.35, (6, 10): 0.25,
    (6, 12): 0.60, (7, 10): 0.25, (10, 12): 0.20, (10, 24): -0.35, (12, 14): 0.15, (12, 15): -0.30,
    (12, 24): -0.20, (15, 17): 0.50, (17, 23): 0.20, (17, 24): 0.40, (23, 24): 0.40,
}  # fmt: skip
"""Correlation of the drives behind two action units; 0 for other pairs."""

EXPRESSIONS = {
    "neutral": {},
    "happiness": {6: 0.7, 12: 0.9},
    "sadness": {1: 0.8, 4: 0.6, 15: 0.9, 17: 0.4},
    "surprise": {1: 0.9, 2: 0.9, 5: 0.8, 26: 0.8},
    "fear": {1: 0.8, 2: 0.6, 4: 0.6, 5: 0.8, 7: 0.3, 20: 0.9, 26: 0.3},
    "anger": {4: 0.9, 7: 0.8, 23: 0.7, 24: 0.6},
    "disgust": {9: 0.9, 10: 0.8, 17: 0.6, 7: 0.3},
}
"""Action units and intensities of each expression, after EMFACS (Friesen and Ekman, 1983)."""

EXPRESSION_SHARES = {
    "neutral": 0.22, "happiness": 0.34, "sadness": 0.14, "surprise": 0.12, "fear": 0.04, "anger": 0.09,
    "disgust": 0.05,
}  # fmt: skip
"""Share of each expression among the stills: unbalanced, as in RAF-DB."""


def subject_ids(number: int) -> list[str]:
    """Names of the demo's people: F001, F002, ... for the first half, M001, ... for the rest."""
    women = (number + 1) // 2
    return [f"F{index + 1:03d}" for index in range(women)] + [f"M{index + 1:03d}" for index in range(number - women)]
