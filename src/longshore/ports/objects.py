"""Where objects are kept that jobs are given and leave: buckets of S3, or of what speaks like it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from longshore.domain.training import ObjectPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """In whose name objects are reached."""

    region: str
    #: used where roles can be had; else it is the server's own name
    role_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the objects of a prefix."""

    keys: Sequence[str]
    #: what gives the next page; empty: this is the last
    next: str


class Objects(Protocol):
    """Every method raises `NeighbourUnavailable` and `NeighbourRefused`, and OSError for the file on this machine.

    Memory that is used does not grow with the size of objects. A method that is cancelled leaves its file alone soon.
    """

    async def find(self, prefix: ObjectPlace, access: Access, *, after: str = "") -> Page:
        """Keys that begin with that of `prefix`, in order; `after` is the `next` of the page before."""
        ...

    async def fetch(self, place: ObjectPlace, to: Path, access: Access) -> None:
        """The whole object is in the file, which is new or written over; after an error there may be a part of it."""
        ...

    async def store(self, path: Path, place: ObjectPlace, access: Access) -> None:
        """The object is that file, whole; before, and after an error, it is what it was."""
        ...

    async def close(self) -> None:
        """Nothing is under way any more."""
        ...
