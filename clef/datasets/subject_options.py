"""Whose recordings of a data set are used: everybody's, or those of the subjects that a laboratory holds."""

from typing import Annotated

from pydantic import AfterValidator, Field

from clef.params.schema import ParamsError, Section


def _distinct(subjects: list[str]) -> list[str]:
    if len(set(subjects)) < len(subjects):
        raise ValueError("expected each subject once")
    return subjects


class SubjectOptions(Section):
    """Choice of subjects."""

    subjects: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)] | None = None
    """Whose recordings are there and used, such as [F001, M001]; null for everybody's."""


def selected_subjects(options: SubjectOptions, everybody: list[str], title: str) -> list[str]:
    """The subjects in use, sorted.

    Raises:
        ParamsError: One that the data set has not.
    """
    strange = sorted(set(options.subjects or ()) - set(everybody))
    if strange:
        raise ParamsError(
            f"dataset.options.subjects: {title} has no subject {strange[0]}; expected some of {', '.join(everybody)}"
        )
    return sorted(options.subjects or everybody)
