"""The option `subjects`, for laboratories that hold only some subjects of a data set."""

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
    """Subjects to use, such as [F001, M001]; null for all."""

    def selected(self, all_subjects: list[str], title: str) -> list[str]:
        """Return the chosen subjects, sorted.

        Raises:
            ParamsError: One of them is not in the data set.
        """
        unknown = sorted(set(self.subjects or ()) - set(all_subjects))
        if unknown:
            raise ParamsError(
                f"dataset.options.subjects: {title} has no subject {unknown[0]}; "
                f"expected some of {', '.join(all_subjects)}"
            )
        return sorted(self.subjects or all_subjects)
