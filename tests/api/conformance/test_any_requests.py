"""Whatever is sent to a live server, valid by the model or not: it answers, in time, without a failure of its own.

`FUZZ_REQUESTS` says how many requests of each kind; `make fuzz` sends ten thousand.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api.conformance.gaps import NOT_BUILT
from tests.api.conformance.model import OPERATIONS, operation_model
from tests.api.conformance.strategies import damaged, fitting_values, names_of, near_examples
from tests.api.conformance.wire import Reply, Wire
from tests.api.conformance.world import World
from tests.integration.live import LiveServer, live_server

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "300"))
#: Requests to one world, which later ones find as earlier ones left it.
STEPS = 10
MOST_GROWTH_MIB = 50
BUILT = sorted(set(OPERATIONS) - NOT_BUILT)

pytestmark = pytest.mark.timeout(max(180, REQUESTS))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One of its own, so that its memory is what these requests make of it."""
    with live_server(tmp_path_factory.mktemp("any")) as server:
        server.start()
        yield server


def resident_mib(server: LiveServer) -> float:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


class Tally:
    """What came of the requests so far."""

    def __init__(self, kind: str, server: LiveServer) -> None:
        self._kind = kind
        self._server = server
        self._before = resident_mib(server)
        self._statuses: Counter[int] = Counter()

    def count(self, reply: Reply, request: Any) -> None:
        assert reply.status < 500, (reply.operation, request, reply.message)
        assert not reply.faults, (reply.operation, request, reply.faults)
        self._statuses[reply.status] += 1
        if self._statuses.total() % (REQUESTS // 20 or 1) == 0:
            print(f"{self._kind}: {self}", flush=True)

    def __str__(self) -> str:
        done = self._statuses.total()
        return (
            f"{done:,} of about {REQUESTS:,}, {self._statuses[200]:,} answered 200, memory {self.growth_mib:+.1f} MiB"
        )

    @property
    def growth_mib(self) -> float:
        return resident_mib(self._server) - self._before

    def check(self, *, least_carried_out: float) -> None:
        """The server lives, its memory has not grown, and enough of the requests meant something."""
        assert not self._server.has_ended
        assert self._statuses[200] >= least_carried_out * self._statuses.total(), str(self)
        assert self.growth_mib <= MOST_GROWTH_MIB, str(self)


def _send(server: LiveServer, kind: str, step: Callable[[st.DataObject, World, int], tuple[Reply, Any]]) -> Tally:
    tally = Tally(kind, server)

    # What fails is told as it was sent: the server keeps state, so that a smaller case is soon another one.
    @settings(
        max_examples=max(1, REQUESTS // STEPS),
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        world = World(wire=wire, is_hasty=True)
        for serial in range(STEPS):
            reply, request = step(data, world, serial)
            tally.count(reply, request)
            if reply.status == 200:
                world.settle_change(reply.operation)
        world.leave()

    with closing(Wire(server.port)) as wire:
        run()
    return tally


def test_any_valid_requests(server: LiveServer) -> None:
    """On what earlier requests made; at least half of them are carried out."""

    def step(data: st.DataObject, world: World, serial: int) -> tuple[Reply, Any]:
        operation = data.draw(st.sampled_from(BUILT))
        shape = operation_model(operation).input_shape
        if data.draw(st.integers(0, 4)):
            request = data.draw(near_examples(world, operation, serial))
        else:
            request = data.draw(fitting_values(shape, "", names_of(world)))
        return world.ask(operation, request), request

    _send(server, "valid", step).check(least_carried_out=0.5)


def test_any_damaged_requests(server: LiveServer) -> None:
    """Types, bytes, methods, paths and depths that no client sends."""

    def step(data: st.DataObject, world: World, serial: int) -> tuple[Reply, Any]:
        operation = data.draw(st.sampled_from(BUILT))
        method, path, body = data.draw(damaged(world, operation, serial))
        return world.wire.send(operation, method, path, body, region=world.region), (method, path, body[:500])

    _send(server, "damaged", step).check(least_carried_out=0)
