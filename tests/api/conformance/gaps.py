"""What is known to be missing. Each entry is a strict expectation of failure: filled, it must leave the list.

`make gaps` takes out what was filled. It adds nothing: what fails and is not listed is a failure. Only `effects`, which
lists members that are stored and should do more than that, is held to by no test.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).with_name("gaps.toml")
GAPS: Mapping[str, list[str]] = tomllib.loads(FILE.read_text())
NOT_BUILT = frozenset(GAPS["not_built"])
#: Of the gaps, what this run found filled.
FILLED: dict[str, set[str]] = {kind: set() for kind in GAPS}
#: Of members that are filled in part, what is left.
LEFT_OVER: dict[str, set[str]] = {kind: set() for kind in GAPS}

_HEAD = f"# {(__doc__ or '').strip()}".replace("\n\n", "\n#\n").replace("\n", "\n# ").replace("# #", "#")


def expected(names: Iterable[str], kind: str) -> list[Any]:
    """Test parameters: those that are a gap of `kind`, or whose operation is not built, must fail."""
    return [
        pytest.param(name, marks=[pytest.mark.xfail(reason="a gap", strict=True)] if _is_gap(name, kind) else [])
        for name in names
    ]


def _is_gap(name: str, kind: str) -> bool:
    return name in GAPS[kind] or name.partition(".")[0] in NOT_BUILT


def note_members(kind: str, listed: Iterable[str], unproven: Iterable[str]) -> None:
    """Note which listed members are proven now, and what of them is not."""
    gone = set(listed) - set(unproven)
    FILLED[kind] |= gone
    LEFT_OVER[kind] |= {name for name in unproven if any(name.startswith(f"{top}.") for top in gone)}


def prune() -> int:
    """Write the list anew without what is filled; returns how many entries went."""
    left = {kind: sorted(set(names) - FILLED[kind] | LEFT_OVER[kind]) for kind, names in GAPS.items()}
    blocks = (
        "".join([f"{kind} = [\n", *(f'    "{name}",\n' for name in names), "]\n"]) for kind, names in left.items()
    )
    FILE.write_text(f"{_HEAD}\n\n" + "\n".join(blocks))
    return sum(map(len, FILLED.values()))
