"""The option `subjects`, for laboratories that hold only some subjects of a data set."""

from typing import Annotated

from pydantic import Field

from clef.params.schema import ParamsError, Section


class SubjectOptions(Section):
    """Choice of subjects."""

    subjects: Annotated[list[str], Field(min_length=1)] | None = None
    """Subjects to use, such as [F001, M001]; null for all."""

    def selected(self, all_subjects: list[str], title: str) -> list[str]:
        """Return the chosen subjects, sorted; raise a `ParamsError` if one is unknown or appears twice."""
        chosen = self.subjects or all_subjects
        if len(set(chosen)) < len(chosen):
            raise ParamsError("dataset.options.subjects: expected each subject once")
        unknown = sorted(set(chosen) - set(all_subjects))
        if unknown:
            raise ParamsError(
                f"dataset.options.subjects: {title} has no subject {unknown[0]}; "
                f"expected some of {', '.join(all_subjects)}"
            )
        return sorted(chosen)
