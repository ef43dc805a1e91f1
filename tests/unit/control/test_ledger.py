"""Accounts of who holds what are exact after every change."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from longshore.control.ledger import Host, Ledger, OpenAttempt
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.ids import HostId
from longshore.domain.resources import Resources
from longshore.testing.builders import HERE, LOCAL, a_job, a_job_spec, an_environment
from tests.unit.control.openings import an_open_attempt, asking, changed, ended

TOTAL = Resources(vcpu_milli=8000, memory_mib=8192, gpus=3)
GPUS = ("gpu-a", "gpu-b", "gpu-c")
ENVIRONMENTS = [an_environment("one"), an_environment("two", max_vcpus=4)]


def a_ledger(total: Resources = TOTAL, gpu_names: tuple[str, ...] = GPUS) -> Ledger:
    return Ledger([Host(id=LOCAL, total=total, gpu_names=gpu_names)])


class LedgerMachine(RuleBasedStateMachine):
    """Opens, repeats, ends and drops attempts; the sum of what is open is the account."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = a_ledger()
        self.live: dict[str, OpenAttempt] = {}
        self.over: dict[str, OpenAttempt] = {}
        self.opened = 0

    @rule(
        environment=st.sampled_from(ENVIRONMENTS),
        vcpus=st.integers(1, 4),
        memory_mib=st.integers(1, 2048),
        gpus=st.integers(0, 2),
    )
    def open(self, environment: ComputeEnvironment, vcpus: int, memory_mib: int, gpus: int) -> None:
        asked = Resources(vcpu_milli=vcpus * 1000, memory_mib=memory_mib, gpus=gpus)
        if not self.ledger.has_room(LOCAL, asked):
            return
        self.opened += 1
        names = self.ledger.hosts()[LOCAL].free_gpus[:gpus]
        entry = an_open_attempt(asking(self.opened, asked), environment=environment, gpu_names=names)
        self.ledger.put(entry)
        self.live[entry.attempt.attempt_id] = entry

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        entry = self.live[data.draw(st.sampled_from(sorted(self.live)))]
        self.ledger.put(changed(entry, handle="confirmed"))
        self.ledger.put(entry)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        attempt_id = data.draw(st.sampled_from(sorted(self.live)))
        entry = self.over[attempt_id] = ended(self.live.pop(attempt_id))
        self.ledger.put(entry)
        self.ledger.put(entry)

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        attempt_id = data.draw(st.sampled_from(sorted(self.over)))
        self.ledger.drop(self.over.pop(attempt_id).attempt.attempt_id)

    @invariant()
    def host_adds_up(self) -> None:
        host = self.ledger.hosts()[LOCAL]
        held = sum((entry.attempt.resources for entry in self.live.values()), Resources())
        assert host.free + held == host.total == TOTAL
        assert not host.free.is_negative()
        names = [name for entry in self.live.values() for name in entry.attempt.gpu_names]
        assert sorted([*host.free_gpus, *names]) == list(GPUS)
        assert len(host.free_gpus) == host.free.gpus

    @invariant()
    def environments_add_up(self) -> None:
        for environment in ENVIRONMENTS:
            held = [e.attempt.resources.vcpu_milli for e in self.live.values() if e.environment is environment]
            assert self.ledger.environment_milli((HERE, environment.name)) == sum(held)

    @invariant()
    def open_attempts_are_known(self) -> None:
        entries = {**self.live, **self.over}
        assert {entry.attempt.attempt_id: entry for entry in self.ledger.open_attempts()} == entries
        keys = [entry.job.key for entry in self.live.values()]
        assert sorted(self.ledger.running_between(keys[0], keys[0]) if keys else []) == keys[:1]


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=20)


def test_cap_counts_what_was_asked_for_and_the_host_what_is_held() -> None:
    """A job that runs alone holds the whole host, and of its environment's cap what it asked for."""
    ledger = a_ledger()
    entry = an_open_attempt(asking(1, Resources(vcpu_milli=9000, memory_mib=1)), resources=TOTAL, gpu_names=GPUS)
    ledger.put(entry)
    assert ledger.hosts()[LOCAL].free == Resources()
    assert ledger.environment_milli(entry.environment_name) == 9000
    assert not ledger.hosts()[LOCAL].is_idle
    ledger.put(ended(entry))
    assert ledger.hosts()[LOCAL].is_idle
    assert ledger.environment_milli(entry.environment_name) == 0


def test_host_that_offers_less_than_before() -> None:
    """What runs there goes on; the host shows as having nothing, never less, and is right again afterwards."""
    ledger = a_ledger(Resources(vcpu_milli=1000, memory_mib=512, gpus=1), ("gpu-a",))
    entry = an_open_attempt(asking(1, Resources(vcpu_milli=4000, memory_mib=64, gpus=2)), gpu_names=("gpu-a", "gpu-b"))
    ledger.put(entry)
    host = ledger.hosts()[LOCAL]
    assert (host.free, host.free_gpus) == (Resources(memory_mib=448), ())
    assert not host.is_idle
    assert not ledger.has_room(LOCAL, Resources(memory_mib=1))
    ledger.put(ended(entry))
    host = ledger.hosts()[LOCAL]
    assert (host.free, host.free_gpus) == (host.total, ("gpu-a",))


def test_host_that_is_no_longer_offered() -> None:
    """Its attempts still count against their environment, until they end."""
    ledger = Ledger([Host(id=HostId("other"), total=TOTAL)])
    entry = an_open_attempt()
    ledger.put(entry)
    assert ledger.hosts()[HostId("other")].is_idle
    assert ledger.environment_milli(entry.environment_name) == 1000
    ledger.put(ended(entry))
    assert ledger.environment_milli(entry.environment_name) == 0


def test_attempt_that_had_ended_when_it_was_found() -> None:
    """After a restart it is still to be released, and holds nothing."""
    ledger = a_ledger()
    ledger.put(ended(an_open_attempt()))
    assert ledger.hosts()[LOCAL].is_idle
    assert len(ledger.open_attempts()) == 1


def test_live_attempt_is_not_dropped() -> None:
    """Forgetting what still runs would give its room away."""
    ledger = a_ledger()
    entry = an_open_attempt()
    ledger.put(entry)
    with pytest.raises(AssertionError):
        ledger.drop(entry.attempt.attempt_id)


def test_children_that_run() -> None:
    """Found by their keys; who has ended does not run."""
    ledger, spec = a_ledger(), a_job_spec(10, array_size=5)
    entries = [an_open_attempt(a_job(spec, index=index)) for index in (0, 2, 4)]
    for entry in entries:
        ledger.put(entry)
    ledger.put(an_open_attempt(asking(16, spec.resources)))
    ledger.put(ended(entries[1]))
    assert sorted(ledger.running_between(spec.child_key(0), spec.last_key)) == [11, 15]
    assert ledger.find(entries[1].attempt.attempt_id) == ended(entries[1])


def test_what_an_open_attempt_tells() -> None:
    """Its engine, its environment, and how the engine finds it."""
    entry = changed(an_open_attempt(environment=an_environment("e", engine="docker")), handle="container")
    assert (entry.engine, entry.environment_name, entry.handle.state) == ("docker", (HERE, "e"), "container")
    assert entry.handle.attempt_id == entry.attempt.attempt_id
