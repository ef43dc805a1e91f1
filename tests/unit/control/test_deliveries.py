"""What becomes of what trainings leave, before anybody hears of their end."""

import asyncio
import errno
import io
import os
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore.control.deliveries import Deliveries
from longshore.control.inbox import Inbox
from longshore.control.lane import Lane
from longshore.control.ledger import OpenAttempt
from longshore.control.provisions import Provider
from longshore.control.training_contract import StagedFolders
from longshore.domain.job import Intent, StopCause
from longshore.engines.fake import Behaviour, FakeDriver, FakeSite
from longshore.ports.engine import Observation, TaskState
from longshore.testing.builders import AT
from longshore.testing.clock import VirtualClock
from longshore.testing.simulation.logs import KeptLogs
from tests.unit.control.openings import changed, ended
from tests.unit.control.trainings import KeptObjects, a_channel, a_site, a_training, files_in, put

pytestmark = pytest.mark.anyio


class Scene:
    """A training that has run, and the place for what it left."""

    def __init__(self, folder: Path, objects: KeptObjects | None = None, **members: Any) -> None:
        self.clock = VirtualClock()
        self.objects = objects or KeptObjects()
        self.site = a_site(folder, self.objects, open_paths=[folder / "open"])
        self.deliveries = Deliveries(self.site, self.clock, patience_seconds=10)
        self.entry = changed(a_training(**members), intent=Intent.NONE, started_at=AT)
        self.deliveries.follow(self.entry)
        for path in (self.folders.model, self.folders.output / "data", self.folders.packed, self.folders.checkpoints):
            path.mkdir(parents=True)
        (folder / "open").mkdir()

    @property
    def folders(self) -> StagedFolders:
        return self.site.folders(self.entry.attempt.attempt_id)

    def end(self, exit_code: int = 0, reason: str = "") -> Observation:
        """How the engine says it."""
        return Observation(
            attempt_id=self.entry.attempt.attempt_id,
            state=TaskState.EXITED,
            exit_code=exit_code,
            reason=reason,
            stopped_at=AT,
        )

    async def told(self, exit_code: int = 0, reason: str = "") -> str:
        """The reason that is told in the end."""
        observation = self.end(exit_code, reason)
        assert self.deliveries.hold(observation)
        told = await self.deliveries.next()
        assert replace(told, reason="") == replace(observation, reason="")
        return told.reason

    def archive(self, key: str) -> dict[str, bytes | None]:
        """Members of an archive that was stored: files with their content, others without."""
        with tarfile.open(fileobj=io.BytesIO(self.objects.objects[key]), mode="r:gz") as tar:
            found = {member.name: tar.extractfile(member) if member.isreg() else None for member in tar}
            assert all((member.uid, member.gid) == (0, 0) for member in tar)
            return {name: file and file.read() for name, file in found.items()}


MODEL, OUTPUT = "models/out/a-training/output/model.tar.gz", "models/out/a-training/output/output.tar.gz"


async def test_model_and_output(tmp_path: Path) -> None:
    """Both are archives below the name of the training; links in them stay links."""
    scene = Scene(tmp_path)
    (scene.folders.model / "deep").mkdir()
    put(scene.folders.model / "deep" / "weights", b"1")
    (scene.folders.model / "link").symlink_to("/etc/passwd")
    os.mkfifo(scene.folders.model / "pipe")
    put(scene.folders.output / "data" / "report", b"2")
    assert await scene.told() == ""
    assert scene.archive(MODEL) == {"deep": None, "deep/weights": b"1", "link": None}
    assert scene.archive(OUTPUT) == {"report": b"2"}


async def test_nothing_left(tmp_path: Path) -> None:
    """A model is stored always, output only where there is some."""
    scene = Scene(tmp_path)
    assert await scene.told() == ""
    assert scene.archive(MODEL) == {}
    assert scene.objects.objects.keys() == {MODEL}


async def test_failure(tmp_path: Path) -> None:
    """Its output is stored, its model is not; its own words are the reason."""
    scene = Scene(tmp_path)
    put(scene.folders.model / "half", b"1")
    put(scene.folders.output / "data" / "report", b"2")
    put(scene.folders.output / "failure", b"  it did not converge \xff\n" + b"." * 5000)
    reason = await scene.told(3, "what the engine says")
    assert reason.startswith("it did not converge \ufffd\n...")
    assert len(reason) == 1024
    assert scene.objects.objects.keys() == {OUTPUT}


async def test_failure_without_words(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    assert await scene.told(137, "OutOfMemoryError") == "OutOfMemoryError"


async def test_stopped_training_keeps_its_model(tmp_path: Path) -> None:
    """It had time to save what it had."""
    scene = Scene(tmp_path)
    scene.deliveries.follow(changed(scene.entry, intent=Intent.STOP))
    put(scene.folders.model / "half", b"1")
    await scene.told(143)
    assert scene.archive(MODEL) == {"half": b"1"}


async def test_unpacked(tmp_path: Path) -> None:
    """Files of the model are stored one by one; links lead nowhere."""
    scene = Scene(tmp_path, OutputDataConfig={"S3OutputPath": "s3://models", "CompressionType": "NONE"})
    (scene.folders.model / "deep").mkdir()
    put(scene.folders.model / "deep" / "weights", b"1")
    (scene.folders.model / "link").symlink_to("/etc/passwd")
    (scene.folders.model / "folder").symlink_to("/etc")
    assert await scene.told() == ""
    assert scene.objects.objects == {"models/a-training/output/model/deep/weights": b"1"}


async def test_on_this_machine(tmp_path: Path) -> None:
    """Whole files, readable by others; no way leads out of what the operator has opened."""
    scene = Scene(tmp_path, OutputDataConfig={"S3OutputPath": f"file://{tmp_path}/open/models"})
    put(scene.folders.model / "weights", b"1")
    assert await scene.told() == ""
    assert files_in(tmp_path / "open").keys() == {"models/a-training/output/model.tar.gz"}
    other = Scene(tmp_path / "other", OutputDataConfig={"S3OutputPath": f"file://{tmp_path}/other/open"})
    (tmp_path / "other" / "open" / "a-training").symlink_to(tmp_path)
    assert "leads out of" in await other.told()
    assert not exists(tmp_path / "output")


@pytest.mark.parametrize("place", ["model", "output", "output/data", "output/failure"])
async def test_folders_that_were_replaced_by_links(tmp_path: Path, place: str) -> None:
    """Files of ours are not stored for a container that points to them."""
    ours = tmp_path / "ours"
    (ours / "data").mkdir(parents=True)
    for path in (ours / "secret", ours / "data" / "secret", ours / "failure"):
        put(path, b"secret")
    scene = Scene(tmp_path)
    path = scene.folders.root / place
    target = ours / "secret" if place.endswith("failure") else ours
    if path.exists():
        path.rename(tmp_path / "away")
    path.symlink_to(target)
    reason = await scene.told(1)
    assert reason == ""
    scene.objects.objects.clear()
    again = Deliveries(scene.site, scene.clock)
    again.follow(scene.entry)
    assert again.hold(scene.end())
    lost = "Artifact upload failed: the folder of the model is gone" if place == "model" else ""
    assert (await again.next()).reason == lost
    assert b"secret" not in b"".join(
        content or b"" for key in scene.objects.objects for content in scene.archive(key).values()
    )


async def test_a_failure_that_is_no_file(tmp_path: Path) -> None:
    """A pipe without a writer keeps nobody waiting."""
    scene = Scene(tmp_path)
    os.mkfifo(scene.folders.output / "failure")
    assert await scene.told(1) == ""


async def test_checkpoints(tmp_path: Path) -> None:
    """They are stored however the training ended."""
    scene = Scene(tmp_path, CheckpointConfig={"S3Uri": "s3://kept/here"})
    put(scene.folders.checkpoints / "epoch-1", b"1")
    await scene.told(1)
    assert scene.objects.objects == {"kept/here/epoch-1": b"1"}


async def test_place_that_is_away_for_a_while(tmp_path: Path) -> None:
    """The training goes on until it is there again."""
    scene = Scene(tmp_path)
    scene.objects.away = 3
    told = asyncio.create_task(scene.told())
    await passing(scene.clock, told)
    assert await told == ""
    assert MODEL in scene.objects.objects


async def test_place_that_stays_away(tmp_path: Path) -> None:
    """Then the training has failed, whatever its exit code is."""
    scene = Scene(tmp_path)
    scene.objects.away = 10**9
    told = asyncio.create_task(scene.told())
    await passing(scene.clock, told)
    assert await told == "Artifact upload failed: nobody there"


async def test_stop_while_the_place_is_away(tmp_path: Path) -> None:
    """Nobody waits for it any more."""
    scene = Scene(tmp_path)
    scene.objects.away = 10**9
    before = scene.clock.boot_seconds()
    told = asyncio.create_task(scene.told())
    scene.deliveries.follow(changed(scene.entry, intent=Intent.STOP))
    await passing(scene.clock, told)
    await told
    assert scene.clock.boot_seconds() - before < 10


async def test_time_out_while_the_place_is_away(tmp_path: Path) -> None:
    """What ended in time may be stored later."""
    scene = Scene(tmp_path)
    scene.objects.away = 5
    told = asyncio.create_task(scene.told())
    scene.deliveries.follow(changed(scene.entry, intent=Intent.STOP, stop_cause=StopCause.TIMED_OUT))
    await passing(scene.clock, told)
    assert await told == ""
    assert MODEL in scene.objects.objects


def exists(path: Path) -> bool:
    return path.exists()


async def until(is_so: Callable[[], bool]) -> None:
    """Threads need time of their own."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def passing(clock: VirtualClock, task: "asyncio.Task[Any]") -> None:
    """Time passes until the task is done; what it does in threads takes none of it."""
    async with asyncio.timeout(20):
        while not task.done():
            await asyncio.sleep(0.002)
            await clock.advance(0.5)


async def test_refused_and_full(tmp_path: Path) -> None:
    """The reason says what went wrong; a failure of the training's own comes first."""
    scene = Scene(tmp_path)
    scene.objects.refusal = "AccessDenied: no"
    assert await scene.told() == "Artifact upload failed: AccessDenied: no"
    scene = Scene(tmp_path / "full")
    scene.objects.failure = OSError(errno.ENOSPC, "No space left on device")
    assert await scene.told() == "Artifact upload failed: No space left on device"
    scene = Scene(tmp_path / "both")
    scene.objects.refusal = "AccessDenied: no"
    put(scene.folders.output / "failure", b"own")
    put(scene.folders.output / "data" / "x", b"")
    assert await scene.told(1) == "own"


async def test_news_that_is_held(tmp_path: Path) -> None:
    """The end alone, while it is not settled; and whatever else comes after it."""
    scene = Scene(tmp_path)
    attempt_id = scene.entry.attempt.attempt_id
    for state in (TaskState.STARTING, TaskState.RUNNING, TaskState.LOST, TaskState.GONE, TaskState.FAILED_TO_START):
        assert not scene.deliveries.hold(Observation(attempt_id=attempt_id, state=state))
    assert not scene.deliveries.hold(replace(scene.end(), attempt_id=a_training(9).attempt.attempt_id))
    assert scene.deliveries.hold(scene.end())
    for state in (TaskState.LOST, TaskState.GONE):
        assert scene.deliveries.hold(Observation(attempt_id=attempt_id, state=state))
    await scene.deliveries.next()
    assert scene.deliveries.hold(scene.end())
    assert scene.objects.stored == [MODEL.removeprefix("models/")]
    scene.deliveries.follow(ended(scene.entry))
    assert not scene.deliveries.hold(scene.end())


async def test_release(tmp_path: Path) -> None:
    """Nothing is stored any more, and nothing is left."""
    scene = Scene(tmp_path)
    scene.objects.away = 10**9
    assert scene.deliveries.hold(scene.end())
    await scene.deliveries.release(scene.entry.attempt.attempt_id)
    assert not scene.folders.root.exists()
    assert scene.objects.objects == {}


async def test_way_through_a_lane(tmp_path: Path) -> None:
    """Staged, run, stored, told, released; a server that comes back before the outcome is stored does it again."""
    objects = KeptObjects({"b/a": b"1"})
    clock, site = VirtualClock(), a_site(tmp_path, objects)
    entry = a_training(InputDataConfig=[a_channel("s3://b/")])
    fake = FakeSite(clock, lambda spec: Behaviour(output=b"hello"))

    def a_lane(open_attempts: list[OpenAttempt]) -> tuple[Lane, Inbox]:
        inbox = Inbox()
        lane = Lane(
            "fake",
            FakeDriver(fake, clock),
            logs=KeptLogs(),
            inbox=inbox,
            clock=clock,
            open_attempts=lambda: open_attempts,
            stop_grace_seconds=5,
            provider=Provider(clock=clock, trainings=site),
        )
        return lane, inbox

    lane, inbox = a_lane([entry])
    running = asyncio.create_task(lane.run())
    lane.act([entry])
    states: list[TaskState] = []
    async with asyncio.timeout(20):
        while TaskState.EXITED not in states:
            await asyncio.sleep(0.002)
            await clock.advance(0.5)
            states += [news.state for news in inbox.take(100) if isinstance(news, Observation)]
            if TaskState.EXITED in states:
                assert MODEL in objects.objects
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    del objects.objects[MODEL]
    folders = site.folders(entry.attempt.attempt_id)
    put(folders.model / "weights", b"1")
    back, inbox = a_lane([changed(entry, intent=Intent.NONE, handle="1", started_at=AT)])
    running = asyncio.create_task(back.run())
    await until(lambda: any(isinstance(n, Observation) and n.state is TaskState.EXITED for n in inbox.take(100)))
    with tarfile.open(fileobj=io.BytesIO(objects.objects[MODEL])) as tar:
        assert tar.getnames() == ["weights"]
    back.act([ended(entry)])
    await until(lambda: not exists(folders.root))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
