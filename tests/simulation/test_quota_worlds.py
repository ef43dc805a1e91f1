"""Quota shares and preemption live through servers that die; faults that are planted in them are seen."""

import inspect
import textwrap
from types import ModuleType
from typing import Any

import pytest

from longshore.control import scheduler
from longshore.domain.lifecycle import machine, settling
from longshore.scheduling.quota import Account
from longshore.scheduling.quota_order import QuotaOrder
from tests.simulation.quota_world import QuotaWorld

pytestmark = pytest.mark.anyio

#: What stands where, and what is put in its place.
FAULTS: dict[str, tuple[type | ModuleType, str, str, str]] = {
    "preemptions are charged": (settling, "settle", " - preemptions < job", " < job"),
    "preemptions are not counted": (settling, "settle", "preemptions=preemptions", "preemptions=0"),
    "preemption retries are not looked at": (settling, "settle", "limit is None or preemptions <= limit", "True"),
    "preemption wins over termination": (machine, "_stop_on_request", "(None, StopCause.PREEMPTED)", "(None,)"),
    "preempted jobs that exit with 0 have succeeded": (
        settling,
        "settle",
        "elif is_preempted:",
        "elif is_preempted and attempt.exit_code != 0:",
    ),
    "those that are being stopped hold nothing": (
        QuotaOrder,
        "decide",
        "if self.now.allows(share, asked)",
        "if True",
    ),
    "borrow limits are not looked at": (Account, "_keeps_rules", "ceiling is not None and", "False and"),
    "victims are not stopped": (scheduler, "_preempt", "victim is None or", "True or"),
}


async def live(seed: int) -> QuotaWorld:
    world = QuotaWorld(seed)
    await world.open()
    try:
        await world.live(50)
    finally:
        await world.store.close()
    return world


@pytest.mark.parametrize("first", range(0, 20, 5))
async def test_invariants_hold(first: int) -> None:
    """Limits are kept, preemptions are counted and not charged, who terminates wins, and all work ends."""
    worlds = [await live(seed) for seed in range(first, first + 5)]
    assert min(world.deaths for world in worlds) > 0
    assert sum(world.preemptions for world in worlds) > 0


@pytest.mark.parametrize("fault", FAULTS)
async def test_planted_faults_are_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, old, new = FAULTS[fault]
    real = getattr(owner, name)
    text = textwrap.dedent(inspect.getsource(real))
    assert text.count(old) == 1, "the fault is planted where it stands now"
    made: dict[str, Any] = {}
    exec(compile(text.replace(old, new), f"<{name}, changed>", "exec"), real.__globals__, made)
    changed = made[name]
    monkeypatch.setattr(owner, name, changed)
    for cell, rule in machine.RULES.items():
        if rule is real:
            monkeypatch.setitem(machine.RULES, cell, changed)  # pyright: ignore[reportArgumentType] # a dict
    with pytest.raises(AssertionError):
        assert sum([(await live(seed)).preemptions for seed in range(12)])
