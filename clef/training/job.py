"""What one process is told of how it trains, beside what it trains. None of it changes a result."""

from dataclasses import dataclass, field

from clef.training.interruption import Interruption
from clef.training.ranks.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Job:
    """One start of one process."""

    ranks: Ranks = ALONE
    interruption: Interruption = field(default_factory=Interruption)
