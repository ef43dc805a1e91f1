"""The duties of the engine port as a test class. A driver's test file subclasses it and gives the fixtures.

    class TestSlurmEngine(EngineContract):
        @pytest.fixture
        async def driver(self, ...) -> AsyncIterator[EngineDriver]: ...      # open; closed afterwards
        @pytest.fixture
        def reopen(self, driver, ...) -> Reopen: ...                         # see `Reopen`
        @pytest.fixture
        def workload(self, tmp_path) -> EngineWorkload: ...
        @pytest.fixture
        def probe(self, ...) -> EngineProbe: ...                             # never through the driver

The fixtures also end whatever the tests leave behind: several leave tasks running. Waiting is polling `observe` with a
bounded patience through `wait`, which a driver on virtual time overrides to move its clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from longshore.domain.ids import AttemptId
from longshore.ports.engine import (
    EngineDriver,
    Handle,
    LaunchFailed,
    LaunchFault,
    LaunchSpec,
    Observation,
    StopRequest,
    TaskState,
)
from longshore.testing.engine_calls import accepted, launched, observed, output
from longshore.testing.engine_workload import EngineProbe, EngineWorkload, NativeTask

#: Gives up the present driver as a crash of the server would (it may have been closed before), and returns a fresh,
#: opened one on the same installation.
Reopen = Callable[[], Awaitable[EngineDriver]]

OVER = {TaskState.EXITED, TaskState.LOST, TaskState.FAILED_TO_START, TaskState.GONE}


@pytest.mark.anyio
class EngineContract:
    """What every driver must do, whatever it drives."""

    #: longest wait for anything, in seconds
    patience_seconds = 20.0
    poll_seconds = 0.02
    #: how far reported times may be from the truth
    time_tolerance = timedelta(milliseconds=500)
    #: launches in one call
    batch_size = 20
    #: lines of the flood; 200,000 lines are 1.3 MB
    flood_lines = 200_000

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def wait(self, seconds: float) -> None:
        """Let `seconds` pass for the engine. Override on virtual time."""
        await asyncio.sleep(seconds)

    def now(self) -> datetime:
        """The wall clock that the engine's times are compared with. Override on virtual time."""
        return datetime.now(UTC)

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Poll until `condition` holds; fail, naming `what`, when patience ends."""
        waited = 0.0
        while not await condition():
            assert waited < self.patience_seconds, f"waited {waited:.1f} s in vain: {what}"
            await self.wait(self.poll_seconds)
            waited += self.poll_seconds

    async def until_in(self, driver: EngineDriver, handle: Handle, states: set[TaskState]) -> Observation:
        """The first observation of the attempt in one of `states`."""
        found: list[Observation] = []

        async def arrived() -> bool:
            seen = await observed(driver, handle)
            if seen.state in states:
                found.append(seen)
                return True
            assert seen.state not in OVER, f"ended as {seen} while {states} was awaited"
            return False

        await self.until(arrived, f"attempt {handle.attempt_id} in {states}")
        return found[0]

    async def finished(self, driver: EngineDriver, handle: Handle) -> Observation:
        """The observation of the attempt after its end by exit."""
        return await self.until_in(driver, handle, {TaskState.EXITED})

    async def until_printed(self, driver: EngineDriver, spec: LaunchSpec, handle: Handle, text: bytes) -> None:
        """Wait until `text` is in the attempt's output."""

        async def printed() -> bool:
            return text in await output(driver, spec, handle)

        await self.until(printed, f"{text!r} in the output of {handle.attempt_id}")

    async def until_seen(self, probe: EngineProbe, spec: LaunchSpec, *, processes: int = 1) -> NativeTask:
        """What the probe finds of the attempt, once so many of its processes can be told to be its.

        A program that is just being loaded shows nothing yet that tells whose it is.
        """
        found: list[NativeTask] = []

        async def seen() -> bool:
            found[:] = [task] if (task := await probe.find(spec.attempt_id)) is not None else []
            return bool(found) and found[0].live_processes >= processes

        await self.until(seen, f"{processes} processes of {spec.attempt_id}")
        return found[0]

    # --- launching -------------------------------------------------------------------------------------------------

    async def test_healthy_engine_says_so(self, driver: EngineDriver) -> None:
        """The fingerprint of a working engine is healthy and names no problem."""
        fingerprint = await driver.fingerprint()
        assert fingerprint.healthy
        assert fingerprint.problem == ""

    async def test_two_launches_make_one_task(
        self, driver: EngineDriver, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """Launching an attempt again, at once or later, starts nothing: it answers with a handle."""
        spec = workload.prints_and_sleeps("once\n", 1000)
        both = await asyncio.gather(driver.launch([spec]), driver.launch([spec]))
        handle = accepted(both[0][0])
        accepted(both[1][0])
        await self.until_in(driver, handle, {TaskState.RUNNING})
        await self.until_printed(driver, spec, handle, b"once\n")
        before = await self.until_seen(probe, spec)
        accepted((await driver.launch([spec]))[0])
        await self.wait(0.2)
        assert before.live_tasks == 1
        after = await probe.find(spec.attempt_id)
        assert after is not None
        assert (after.identity, after.live_tasks) == (before.identity, 1)
        assert await output(driver, spec, handle) == b"once\n"

    async def test_finished_attempt_is_not_launched_again(
        self, driver: EngineDriver, reopen: Reopen, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """A launch that is repeated after the attempt's end, by a later server too, starts nothing."""
        spec = workload.prints("once;")
        handle = await launched(driver, spec)
        first = await self.finished(driver, handle)
        accepted((await driver.launch([spec]))[0])
        assert await observed(driver, handle) == first
        later = await reopen()
        accepted((await later.launch([spec]))[0])
        await self.wait(0.2)
        again = await observed(later, handle)
        assert (again.state, again.exit_code, again.started_at) == (TaskState.EXITED, 0, first.started_at)
        assert await output(later, spec, handle) == b"once;"
        left = await probe.find(spec.attempt_id)
        assert left is None or left.live_processes == 0

    async def test_batch_keeps_order_and_faults_stay_apart(
        self, driver: EngineDriver, workload: EngineWorkload
    ) -> None:
        """A batch has one outcome per spec, in order; one that is refused does not harm its neighbours."""
        specs = [workload.exits(code) for code in range(self.batch_size)]
        bad = self.batch_size // 2
        specs[bad] = workload.refused()
        outcomes = await driver.launch(specs)
        assert [outcome.attempt_id for outcome in outcomes] == [spec.attempt_id for spec in specs]
        refused = outcomes[bad]
        assert isinstance(refused, LaunchFailed)
        assert refused.fault is LaunchFault.REJECTED
        good = {code: accepted(outcome) for code, outcome in enumerate(outcomes) if code != bad}
        codes = {code: (await self.finished(driver, handle)).exit_code for code, handle in good.items()}
        assert codes == {code: code for code in good}
        batch = await driver.observe(list(good.values()))
        assert {seen.attempt_id: seen.exit_code for seen in batch} == {h.attempt_id: c for c, h in good.items()}
        assert len(batch) == len(good)

    async def test_spec_that_cannot_be_honoured_is_rejected(
        self, driver: EngineDriver, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """It is refused for good, with a reason, and leaves nothing."""
        spec = workload.refused()
        (outcome,) = await driver.launch([spec])
        assert isinstance(outcome, LaunchFailed)
        assert outcome.fault is LaunchFault.REJECTED
        assert outcome.reason
        assert (await observed(driver, Handle(attempt_id=spec.attempt_id))).state is TaskState.GONE
        assert await probe.find(spec.attempt_id) is None

    async def test_program_that_cannot_start(self, driver: EngineDriver, workload: EngineWorkload) -> None:
        """A command that cannot be executed is rejected or fails to start: with a reason, without an exit code."""
        spec = workload.cannot_start()
        (outcome,) = await driver.launch([spec])
        if isinstance(outcome, LaunchFailed):
            assert outcome.fault is LaunchFault.REJECTED
            reason = outcome.reason
        else:
            seen = await self.until_in(driver, outcome, {TaskState.FAILED_TO_START})
            assert seen.exit_code is None
            reason = seen.reason
        assert 0 < len(reason) <= 255

    # --- outcomes --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("code", [0, 1, 42, 127, 137, 255])
    async def test_exit_codes_arrive_whole(self, driver: EngineDriver, workload: EngineWorkload, code: int) -> None:
        """The exit code is the command's own, and a plain exit has no reason."""
        seen = await self.finished(driver, await launched(driver, workload.exits(code)))
        assert (seen.exit_code, seen.reason, seen.oom_killed) == (code, "", False)

    @pytest.mark.parametrize("signal", [6, 9, 15])
    async def test_signals_arrive_whole(self, driver: EngineDriver, workload: EngineWorkload, signal: int) -> None:
        """A task ended by a signal has exit code 128 + signal, and was not out of memory."""
        seen = await self.finished(driver, await launched(driver, workload.killed_by(signal)))
        assert (seen.exit_code, seen.oom_killed) == (128 + signal, False)

    async def test_times_are_true_and_ordered(self, driver: EngineDriver, workload: EngineWorkload) -> None:
        """Start and stop are those of the process, in aware UTC, and stay as they are once reported."""
        asked_at = self.now()
        handle = await launched(driver, workload.sleeps(1.0))
        running = await self.until_in(driver, handle, {TaskState.RUNNING})
        seen_at = self.now()
        over = await self.finished(driver, handle)
        over_at = self.now()
        started_at, stopped_at = over.started_at, over.stopped_at
        assert started_at is not None
        assert stopped_at is not None
        assert started_at.utcoffset() == stopped_at.utcoffset() == timedelta(0)
        assert asked_at - self.time_tolerance <= started_at <= seen_at + self.time_tolerance
        assert started_at < stopped_at <= over_at + self.time_tolerance
        assert stopped_at - started_at >= timedelta(seconds=1) - self.time_tolerance
        assert running.started_at == started_at
        assert running.stopped_at is None
        assert await observed(driver, handle) == over

    async def test_unknown_handle_is_gone_once(self, driver: EngineDriver, workload: EngineWorkload) -> None:
        """An attempt that was never launched has exactly one observation, GONE, among those of others."""
        unknown = Handle(attempt_id=AttemptId(uuid4().hex))
        known = await launched(driver, workload.sleeps(1000))
        states = {seen.attempt_id: seen.state for seen in await driver.observe([unknown, known])}
        assert len(await driver.observe([unknown])) == 1
        assert states[unknown.attempt_id] is TaskState.GONE
        assert states[known.attempt_id] in {TaskState.STARTING, TaskState.RUNNING}

    async def test_watch_delivers_what_observe_says(self, driver: EngineDriver, workload: EngineWorkload) -> None:
        """Whoever watches a healthy engine hears of every end, as `observe` tells it."""
        heard: dict[AttemptId, Observation] = {}

        async def listen() -> None:
            async for batch in driver.watch():
                heard.update({seen.attempt_id: seen for seen in batch if seen.state is TaskState.EXITED})

        listener = asyncio.create_task(listen())
        try:
            await self.wait(0.2)
            specs = [workload.exits(3), workload.sleeps(0.3, code=4), workload.killed_by(9)]
            handles = [accepted(outcome) for outcome in await driver.launch(specs)]
            over = {handle.attempt_id: await self.finished(driver, handle) for handle in handles}

            async def all_heard() -> bool:
                assert not listener.done(), f"watch ended: {listener}"
                return over.keys() <= heard.keys()

            await self.until(all_heard, "the ends of all attempts through watch")
            for attempt_id, seen in over.items():
                assert heard[attempt_id].exit_code == seen.exit_code
                assert heard[attempt_id].started_at == seen.started_at
                assert heard[attempt_id].stopped_at == seen.stopped_at
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    # --- stopping and releasing ------------------------------------------------------------------------------------

    async def test_stop_ends_a_task(self, driver: EngineDriver, workload: EngineWorkload, probe: EngineProbe) -> None:
        """Stop ends a task by SIGTERM, or by SIGKILL where it takes no notice; asking twice is fine."""
        spec = workload.sleeps(1000)
        handle = await launched(driver, spec)
        await self.until_in(driver, handle, {TaskState.RUNNING})
        request = StopRequest(handle=handle, grace_seconds=1)
        await driver.stop([request, request])
        await driver.stop([request])
        seen = await self.finished(driver, handle)
        assert seen.exit_code in {128 + 15, 128 + 9}
        assert seen.oom_killed is False
        await self.assert_nothing_lives(probe, spec.attempt_id)

    async def test_stop_kills_what_ignores_term(
        self, driver: EngineDriver, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """A task that ignores SIGTERM lives through the grace time and is then killed, with everything it started."""
        spec = workload.ignores_term()
        handle = await launched(driver, spec)
        await self.until_printed(driver, spec, handle, b"ready")
        await self.until_seen(probe, spec, processes=2)
        asked_at = self.now()
        await driver.stop([StopRequest(handle=handle, grace_seconds=1)])
        seen = await self.finished(driver, handle)
        assert seen.exit_code == 128 + 9
        assert seen.stopped_at is not None
        assert seen.stopped_at - asked_at >= timedelta(seconds=0.9)
        await self.assert_nothing_lives(probe, spec.attempt_id)

    async def test_stop_right_after_launch(
        self, driver: EngineDriver, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """A stop that comes while the task is starting is not lost."""
        spec = workload.sleeps(1000)
        handle = await launched(driver, spec)
        await driver.stop([StopRequest(handle=handle, grace_seconds=0)])
        await self.until_in(driver, handle, {TaskState.EXITED, TaskState.FAILED_TO_START})
        await self.assert_nothing_lives(probe, spec.attempt_id)

    async def test_stop_is_quiet_where_nothing_runs(self, driver: EngineDriver, workload: EngineWorkload) -> None:
        """Stopping what is finished, released or was never started does nothing and says nothing."""
        finished = await launched(driver, workload.exits(3))
        before = await self.finished(driver, finished)
        released = await launched(driver, workload.exits(0))
        await self.finished(driver, released)
        await driver.release([released])
        never = Handle(attempt_id=AttemptId(uuid4().hex))
        await driver.stop([StopRequest(handle=handle, grace_seconds=0) for handle in (finished, released, never)])
        assert await observed(driver, finished) == before
        assert (await observed(driver, never)).state is TaskState.GONE

    async def test_release_leaves_nothing(
        self, driver: EngineDriver, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """After release, however often, the attempt is unknown and nothing native is left of it."""
        spec, kept = workload.prints("text"), workload.exits(0)
        handle, neighbour = [accepted(outcome) for outcome in await driver.launch([spec, kept])]
        await self.finished(driver, handle)
        await self.finished(driver, neighbour)
        await driver.release([handle, handle])
        await driver.release([handle])
        assert (await observed(driver, handle)).state is TaskState.GONE
        assert {known.attempt_id for known in await driver.discover()} == {kept.attempt_id}
        assert await probe.find(spec.attempt_id) is None
        await driver.release([Handle(attempt_id=AttemptId(uuid4().hex))])

    async def assert_nothing_lives(self, probe: EngineProbe, attempt_id: AttemptId) -> None:
        """Nothing of the attempt is alive after its end was reported, but for what is just being killed."""

        async def dead() -> bool:
            left = await probe.find(attempt_id)
            return left is None or (left.live_tasks, left.live_processes) == (0, 0)

        await self.until(dead, f"no process of {attempt_id} alive")

    async def test_leftovers_end_with_the_task(
        self, driver: EngineDriver, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """Processes that a task leaves running neither delay its end nor outlive it."""
        spec = workload.abandons(3)
        handle = await launched(driver, spec)
        assert (await self.finished(driver, handle)).exit_code == 3
        await self.assert_nothing_lives(probe, spec.attempt_id)

    # --- living longer than the server -----------------------------------------------------------------------------

    async def test_task_survives_the_driver(
        self, driver: EngineDriver, reopen: Reopen, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """A running task outlives the driver; a new one discovers it, knows it by id alone, and has its exact end."""
        spec = workload.sleeps(2.0, code=7)
        handle = await launched(driver, spec)
        first = await self.until_in(driver, handle, {TaskState.RUNNING})
        before = await self.until_seen(probe, spec)
        later = await reopen()
        assert [known.attempt_id for known in await later.discover()] == [spec.attempt_id]
        after = await probe.find(spec.attempt_id)
        assert after is not None
        assert (after.identity, after.live_tasks) == (before.identity, before.live_tasks)
        by_id = Handle(attempt_id=spec.attempt_id)
        over = await self.finished(later, by_id)
        over_at = self.now()
        assert (over.exit_code, over.started_at) == (7, first.started_at)
        assert over.stopped_at is not None
        assert first.started_at is not None
        assert over.stopped_at - first.started_at >= timedelta(seconds=2) - self.time_tolerance
        assert over.stopped_at <= over_at + self.time_tolerance
        await later.release([by_id])
        assert await later.discover() == []
        assert await probe.find(spec.attempt_id) is None

    async def test_end_without_a_driver_is_exact(
        self, driver: EngineDriver, reopen: Reopen, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """A task that ends while no driver is there is found finished, with its code, times and output."""
        ends, prints = workload.sleeps(0.5, code=7), workload.prints_and_sleeps("all of it", 0.5)
        handles = [accepted(outcome) for outcome in await driver.launch([ends, prints])]
        for handle in handles:
            await self.until_in(driver, handle, {TaskState.RUNNING})
        await driver.close()
        for spec in (ends, prints):
            await self.assert_nothing_lives(probe, spec.attempt_id)
        await self.wait(1.0)
        opened_at = self.now()
        later = await reopen()
        assert {known.attempt_id for known in await later.discover()} == {ends.attempt_id, prints.attempt_id}
        over = await self.finished(later, handles[0])
        assert over.exit_code == 7
        assert over.stopped_at is not None
        assert over.stopped_at < opened_at - timedelta(seconds=0.2)
        assert (await self.finished(later, handles[1])).exit_code == 0
        assert await output(later, prints, handles[1]) == b"all of it"

    async def test_stop_after_restart(
        self, driver: EngineDriver, reopen: Reopen, workload: EngineWorkload, probe: EngineProbe
    ) -> None:
        """A new driver can stop what an older one launched, by id alone."""
        spec = workload.sleeps(1000)
        handle = await launched(driver, spec)
        await self.until_in(driver, handle, {TaskState.RUNNING})
        later = await reopen()
        by_id = Handle(attempt_id=spec.attempt_id)
        await later.stop([StopRequest(handle=by_id, grace_seconds=1)])
        assert (await self.finished(later, by_id)).exit_code in {128 + 15, 128 + 9}
        await self.assert_nothing_lives(probe, spec.attempt_id)

    async def test_tasks_of_others_are_never_touched(
        self, driver: EngineDriver, reopen: Reopen, probe: EngineProbe
    ) -> None:
        """What another installation started is not discovered, observed, stopped or released."""
        theirs = Handle(attempt_id=await probe.start_decoy())
        for each in (driver, await reopen()):
            assert await each.discover() == []
            assert [seen.state for seen in await each.observe([theirs])] == [TaskState.GONE]
            await each.stop([StopRequest(handle=theirs, grace_seconds=0)])
            await each.release([theirs])
            await self.wait(0.2)
            assert await probe.decoy_lives()

    # --- output ----------------------------------------------------------------------------------------------------

    async def test_output_is_whole_at_the_end(self, driver: EngineDriver, workload: EngineWorkload) -> None:
        """Whoever sees the end can read every byte that was written before it, stderr and odd bytes included."""
        text = "no newline at the end, ünïcödé, \x1b[31mescapes\x1b[0m\r\n\n\ttab"
        for spec in (workload.prints(text), workload.complains(text)):
            handle = await launched(driver, spec)
            await self.finished(driver, handle)
            assert await output(driver, spec, handle) == text.encode()

    async def test_flood_is_whole(self, driver: EngineDriver, workload: EngineWorkload) -> None:
        """A task that writes as fast as it can loses nothing and repeats nothing."""
        spec = workload.floods(self.flood_lines)
        handle = await launched(driver, spec)
        await self.finished(driver, handle)
        lines = (await output(driver, spec, handle)).split(b"\n")
        assert len(lines) == self.flood_lines + 1
        assert lines == [b"%d" % number for number in range(1, self.flood_lines + 1)] + [b""]

    async def test_logs_resume_at_a_cursor(
        self, driver: EngineDriver, reopen: Reopen, workload: EngineWorkload
    ) -> None:
        """Reading on from any cursor, by a later driver too, gives the rest, without loss or repeat."""
        spec = workload.floods(2000)
        handle = await launched(driver, spec)
        if driver.capabilities().writes_log_files:
            await self.finished(driver, handle)
            assert [chunk async for chunk in driver.read_logs(handle, cursor="")] == []
            return
        text, cursor = b"", ""

        async def read_on(source: EngineDriver) -> None:
            nonlocal text, cursor
            async for chunk in source.read_logs(handle, cursor=cursor):
                assert chunk.at.utcoffset() == timedelta(0)
                text, cursor = text + chunk.data, chunk.cursor

        await read_on(driver)
        await self.finished(driver, handle)
        await read_on(driver)
        assert text == b"".join(b"%d\n" % number for number in range(1, 2001))
        later = await reopen()
        chunks = [chunk async for chunk in later.read_logs(handle, cursor="")]
        behind = b"".join(chunk.data for chunk in chunks)
        assert behind == text
        for chunk in chunks[:: max(1, len(chunks) // 10)]:
            behind_chunk = b"".join([more.data async for more in later.read_logs(handle, cursor=chunk.cursor)])
            before = b"".join(earlier.data for earlier in chunks[: chunks.index(chunk) + 1])
            assert before + behind_chunk == text
