"""What every row is given: how thorough to be, where to put things, and whom to tell how far it is."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from figures import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run of one row."""

    #: empty; removed afterwards
    folder: Path
    #: small numbers, one repetition: to see that a row works, not to know how fast we are
    is_quick: bool
    #: told what is being done now
    say: Callable[[str], None]

    def scaled(self, count: int, *, quick: int) -> int:
        """`count`, or `quick` in a quick run."""
        return quick if self.is_quick else count

    def fresh(self, name: str) -> Path:
        """An empty folder of that name."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the speed budget."""

    name: str
    title: str
    measure: Callable[[Bench], list[Figure]]
