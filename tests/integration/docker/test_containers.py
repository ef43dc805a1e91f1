"""What a job definition asks for is what its container gets, on a real engine."""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import pytest

from longshore.domain.container import (
    ContainerSettings,
    Device,
    HostVolume,
    LinuxParameters,
    MountPoint,
    Tmpfs,
    Ulimit,
    Volume,
)
from longshore.domain.resources import Resources
from longshore.engines.docker.usage import CgroupFiles
from longshore.ports.engine import Handle, LaunchFailed, LaunchFault, StopRequest, TaskState
from tests.integration.docker.conftest import MakeBench
from tests.integration.docker.workbench import IMAGE, a_job

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


async def test_limits_and_settings_arrive(make_bench: MakeBench) -> None:
    """Seen from inside the container, where the kernel enforces them."""
    bench = await make_bench(host_paths=(Path("/dev/null"),))
    settings = ContainerSettings(
        user="65534:65534",
        readonly_root_filesystem=True,
        ulimits=(Ulimit(name="nofile", soft_limit=77, hard_limit=88),),
        linux_parameters=LinuxParameters(
            shared_memory_size=3,
            tmpfs=(Tmpfs(container_path="/scratch", size=2, mount_options=("mode=1777",)),),
            devices=(Device(host_path="/dev/null", container_path="/dev/nothing", permissions=("READ",)),),
            max_swap=0,
        ),
    )
    script = (
        "id -u; ulimit -Sn; ulimit -Hn; df -m /dev/shm | tail -1 | awk '{print $2}';"
        "df -m /scratch | tail -1 | awk '{print $2}';"
        "touch /scratch/x && echo written; touch /x 2>/dev/null || echo kept;"
        "test -c /dev/nothing && echo device"
    )
    spec = a_job(script, settings=settings, resources=Resources(vcpu_milli=2000, memory_mib=32))
    seen = await bench.run(spec)
    assert (seen.state, seen.exit_code) == (TaskState.EXITED, 0), seen
    assert (await bench.output(spec.attempt_id)).split() == b"65534 77 88 3 2 written kept device".split()
    host_config = bench.container(spec.attempt_id)["HostConfig"]
    assert host_config["CpuShares"] == 2048
    assert (host_config["Memory"], host_config["MemorySwap"]) == (32 * 2**20, 32 * 2**20)
    assert host_config["NetworkMode"] == "bridge"


async def test_cap_holds_a_job_to_its_share(make_bench: MakeBench) -> None:
    """A busy job with a cap of a quarter CPU uses about that; CPU time and memory are measured."""
    bench = await make_bench(sample_seconds=0.1)
    script = "end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do :; done; sleep 0.4"
    seen = await bench.run(a_job(script, cap=True, resources=Resources(vcpu_milli=250, memory_mib=64)))
    assert seen.usage.cpu_seconds is not None
    assert 0.3 < seen.usage.cpu_seconds < 1.5
    assert seen.usage.peak_memory_bytes is not None
    assert 100_000 < seen.usage.peak_memory_bytes < 64 * 2**20


async def test_usage_is_asked_of_the_engine(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the containers are on another machine."""
    monkeypatch.setattr(CgroupFiles, "of_process", lambda *_, **__: None)  # pyright: ignore[reportUnknownLambdaType]
    bench = await make_bench(sample_seconds=0.1)
    seen = await bench.run(a_job("end=$(($(date +%s) + 4)); while [ $(date +%s) -lt $end ]; do :; done"))
    assert seen.usage.cpu_seconds is not None
    assert seen.usage.cpu_seconds > 0.3
    assert seen.usage.peak_memory_bytes is not None
    assert seen.usage.peak_memory_bytes > 100_000


async def test_out_of_memory_is_told_apart(make_bench: MakeBench) -> None:
    """Killed for memory is not the same as killed, and a job that copes is well."""
    bench = await make_bench()
    no_swap = ContainerSettings(linux_parameters=LinuxParameters(max_swap=0))
    small = Resources(vcpu_milli=1000, memory_mib=16)
    for _ in range(3):
        killed = await bench.run(a_job("exec tail /dev/zero", resources=small, settings=no_swap))
        assert killed.exit_code == 137
        if killed.oom_killed:  # on a crowded machine the engine itself misses it now and then
            break
    assert killed.oom_killed
    assert killed.reason == "OutOfMemoryError: Container killed due to memory usage"
    copes = await bench.run(a_job("tail /dev/zero; exit 0", resources=small, settings=no_swap))
    assert (copes.exit_code, copes.oom_killed, copes.reason) == (0, False, "")


async def test_killed_from_outside_is_plain(make_bench: MakeBench) -> None:
    """A SIGKILL that was not for memory is exit code 137 and no reason."""
    bench = await make_bench()
    spec = a_job("sleep 1000")
    await bench.launch(spec)
    await bench.until(spec.attempt_id, TaskState.RUNNING)
    bench.engine.docker("kill", bench.name(spec.attempt_id))
    seen = await bench.until(spec.attempt_id, TaskState.EXITED)
    assert (seen.exit_code, seen.oom_killed, seen.reason) == (137, False, "")


async def test_volumes(make_bench: MakeBench, tmp_path: Path) -> None:
    """Listed host folders are mounted, and made where they are missing; anonymous volumes go with the container."""
    bench = await make_bench(host_paths=(tmp_path,))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("given")
    settings = ContainerSettings(
        volumes=(
            Volume(name="in", host=HostVolume(source_path=str(tmp_path / "in"))),
            Volume(name="out", host=HostVolume(source_path=str(tmp_path / "new" / "out"))),
            Volume(name="own"),
        ),
        mount_points=(
            MountPoint(source_volume="in", container_path="/in", read_only=True),
            MountPoint(source_volume="out", container_path="/out"),
            MountPoint(source_volume="own", container_path="/own"),
        ),
    )
    spec = a_job("cp /in/file /out/copy; echo x > /own/x; echo x > /in/x || exit 7", settings=settings)
    assert (await bench.run(spec)).exit_code == 7
    assert (tmp_path / "new" / "out" / "copy").read_text() == "given"
    mounts = bench.container(spec.attempt_id)["Mounts"]
    (volume,) = [mount["Name"] for mount in mounts if mount["Type"] == "volume"]
    assert volume in bench.engine.docker("volume", "ls", "--quiet").split()
    await bench.driver.release([Handle(attempt_id=spec.attempt_id)])
    assert volume not in bench.engine.docker("volume", "ls", "--quiet").split()


async def test_link_out_of_a_listed_folder_is_rejected(make_bench: MakeBench, tmp_path: Path) -> None:
    """And so are `..` and privileged mode: by a reason that names the setting, and nothing is made."""
    bench = await make_bench(host_paths=(tmp_path / "listed",))
    (tmp_path / "listed").mkdir()
    (tmp_path / "listed" / "link").symlink_to("/etc")

    def mount(path: str) -> ContainerSettings:
        return ContainerSettings(
            volumes=(Volume(name="v", host=HostVolume(source_path=path)),),
            mount_points=(MountPoint(source_volume="v", container_path="/in"),),
        )

    wanted = {
        "docker.host_paths": [mount(f"{tmp_path}/listed/{rest}") for rest in ("link", "link/ssl", "../other")],
        "docker.privileged": [ContainerSettings(privileged=True)],
    }
    for setting, each in wanted.items():
        for outcome in await bench.driver.launch([a_job("true", settings=settings) for settings in each]):
            assert isinstance(outcome, LaunchFailed)
            assert outcome.fault is LaunchFault.REJECTED
            assert setting in outcome.reason
    assert await bench.driver.discover() == []


async def test_image_that_cannot_be_had(make_bench: MakeBench) -> None:
    """The attempt fails to start, with AWS's word for it and the engine's own; it is known until it is released."""
    bench = await make_bench()
    specs = [a_job("true", image="localhost:1/longshore-test/absent") for _ in range(3)]
    await bench.driver.launch(specs)
    for spec in specs:
        seen = await bench.until(spec.attempt_id, TaskState.FAILED_TO_START)
        assert seen.reason.startswith("CannotPullContainerError: Error response from daemon: ")
        assert (seen.exit_code, seen.started_at) == (None, None)
    handles = [Handle(attempt_id=spec.attempt_id) for spec in specs]
    assert {handle.attempt_id for handle in await bench.driver.discover()} == {spec.attempt_id for spec in specs}
    await bench.driver.release(handles)
    assert await bench.driver.discover() == []
    assert {seen.state for seen in await bench.driver.observe(handles)} == {TaskState.GONE}


@pytest.mark.parametrize("image", ["longshore-test/busybox", "INVALID NAME"])
async def test_odd_image_names(make_bench: MakeBench, image: str) -> None:
    """A missing tag means latest, which is not here; what is no name is told so. Neither stays STARTING."""
    bench = await make_bench()
    seen = await bench.run(a_job("true", image=image))
    assert seen.state is TaskState.FAILED_TO_START
    assert seen.reason.startswith(("CannotPullContainerError: ", "CannotCreateContainerError: "))


async def test_bad_limits_are_told(make_bench: MakeBench) -> None:
    """What the engine refuses when it starts a container stays with the container, so a later server knows it too."""
    bench = await make_bench()
    spec = a_job("true", settings=ContainerSettings(ulimits=(Ulimit(name="nonsense", soft_limit=1, hard_limit=1),)))
    seen = await bench.run(spec)
    assert seen.state is TaskState.FAILED_TO_START
    assert seen.reason.startswith("CannotStartContainerError: Error response from daemon: ")
    assert len(seen.reason) <= 255
    await bench.reopen()
    assert await bench.observe(spec.attempt_id) == seen
    await bench.launch(spec)
    assert (await bench.until(spec.attempt_id, TaskState.FAILED_TO_START)).reason == seen.reason


async def test_crash_between_create_and_start(make_bench: MakeBench) -> None:
    """A container that an earlier server created and did not start is started by the next, once."""
    bench = await make_bench()
    observed, launched = a_job("echo once"), a_job("echo once")
    for spec in (observed, launched):
        bench.create(spec.attempt_id, "echo", "once")
    assert len(await bench.driver.discover()) == 2
    await bench.launch(launched)
    for spec in (observed, launched):
        assert (await bench.until(spec.attempt_id, TaskState.EXITED)).exit_code == 0
        assert await bench.output(spec.attempt_id) == b"once\n"


async def test_stop_before_the_start_means_never(make_bench: MakeBench) -> None:
    """Stopping what an earlier server created and did not start removes it: it never runs."""
    bench = await make_bench()
    attempt_id = a_job("true").attempt_id
    bench.create(attempt_id, "sleep", "1000")
    await bench.driver.stop([StopRequest(handle=Handle(attempt_id=attempt_id), grace_seconds=5)])
    seen = await bench.until(attempt_id, TaskState.FAILED_TO_START)
    assert "stopped before" in seen.reason
    assert bench.engine.docker("ps", "--all", "--quiet", "--filter", f"name={attempt_id}") == ""


async def test_name_taken_by_a_stranger(make_bench: MakeBench) -> None:
    """A container with our name and another's label is left alone, and the attempt fails with the reason."""
    bench = await make_bench()
    spec = a_job("true")
    label = f"--label=longshore.installation={uuid4().hex}"
    bench.engine.docker("create", "--name", bench.name(spec.attempt_id), label, IMAGE, "true")
    try:
        seen = await bench.run(spec)
        assert seen.state is TaskState.FAILED_TO_START
        assert "not ours" in seen.reason
        await bench.driver.release([Handle(attempt_id=spec.attempt_id)])
        assert bench.container(spec.attempt_id)["State"]["Status"] == "created"
    finally:
        bench.engine.docker("rm", bench.name(spec.attempt_id))


async def test_start_is_told_on_the_boot_clock(make_bench: MakeBench) -> None:
    """However late it is seen, as after a restart of the server: time-outs count from it."""
    bench = await make_bench()
    spec = a_job("sleep 1000")
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    await bench.launch(spec)
    seen = await bench.until(spec.attempt_id, TaskState.RUNNING)
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    await asyncio.sleep(after - before + 0.5)
    await bench.reopen()
    again = await bench.observe(spec.attempt_id)
    for told in (seen.started_boot_seconds, again.started_boot_seconds):
        assert told is not None
        assert before - 0.01 <= told <= after
    assert again.started_boot_seconds == pytest.approx(seen.started_boot_seconds, abs=0.05)


async def test_container_removed_by_somebody_else(make_bench: MakeBench) -> None:
    """Who watches learns its end from the last event; who comes later finds it gone."""
    bench = await make_bench()
    spec = a_job("sleep 1000")
    await bench.launch(spec)
    async for batch in bench.driver.watch():
        states = {seen.attempt_id: seen for seen in batch}
        if spec.attempt_id in states and states[spec.attempt_id].state is TaskState.RUNNING:
            bench.engine.docker("rm", "--force", bench.name(spec.attempt_id))
        elif spec.attempt_id in states and states[spec.attempt_id].state is not TaskState.STARTING:
            assert (states[spec.attempt_id].state, states[spec.attempt_id].exit_code) == (TaskState.EXITED, 137)
            break
    assert (await bench.observe(spec.attempt_id)).exit_code == 137
    await bench.reopen()
    assert (await bench.observe(spec.attempt_id)).state is TaskState.GONE
