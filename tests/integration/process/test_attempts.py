"""What an attempt gets, what it is held to, and how its end is told."""

import asyncio
import os
import pwd
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from longshore.domain.container import ContainerSettings, Ulimit
from longshore.engines.process.config import ProcessConfig
from longshore.ports.engine import Handle, LaunchFailed, LaunchFault, StopRequest, TaskState

pytestmark = pytest.mark.anyio
Site = Any

#: 32 and 33, which the C library's posix_spawn leaves ignored in every program
C_LIBRARY_SIGNALS = 0b11 << 31
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its user")


async def test_environment_is_the_jobs_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job sees PATH, HOME and TMPDIR, its marker and what it was given; nothing of the operator's."""
    monkeypatch.setenv("OPERATOR_SECRET", "x")
    driver = await site.driver()
    spec = site.job("env", environment={"GIVEN": "a b=c\nd", "AWS_BATCH_JOB_ID": "1"})
    await driver.launch([spec])
    await site.over(driver, spec)
    folder = site.data / "scratch" / spec.attempt_id
    assert set(site.log(spec).splitlines()) == {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"HOME={folder}",
        f"TMPDIR={folder}",
        f"LONGSHORE_ATTEMPT_ID={spec.attempt_id}",
        "GIVEN=a b=c",
        "d",
        "AWS_BATCH_JOB_ID=1",
    }


async def test_process_state_is_fresh(site: Site) -> None:
    """Empty folder of its own, own session, three descriptors, default signals, stdin at its end, log of mode 0600."""
    driver = await site.driver()
    script = (
        'test -z "$(ls -A)" && mkdir metaflow && pwd; ls /proc/self/fd; grep -E "^Sig(Blk|Ign)" /proc/self/status;'
        'cat; umask; cut -d" " -f5,6 /proc/$$/stat; echo $$; cat /proc/self/oom_score_adj'
    )
    spec = site.shell(script)
    await driver.launch([spec])
    assert [each.exit_code for each in await site.over(driver, spec)] == [0]
    lines = site.log(spec).splitlines()
    assert lines[0] == str(site.data / "scratch" / spec.attempt_id)
    assert lines[1:5] == ["0", "1", "2", "3"]  # 3 is ls's own
    blocked, ignored = (int(line.split()[1], 16) for line in lines[5:7])
    assert blocked == 0
    assert ignored & ~C_LIBRARY_SIGNALS == 0
    assert lines[7] == "0022"
    group, session = lines[8].split()
    assert group == session == lines[9]
    assert int(lines[10]) >= 0
    assert (os.stat(spec.container.log_path).st_mode & 0o777) == 0o600
    assert (os.stat(site.data / "runner" / "socket").st_mode & 0o777) == 0o600


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("no-such-program",), 'exec: "no-such-program": executable file not found in $PATH'),
        (("./missing",), 'exec: "./missing": no such file or directory'),
        (("/etc/passwd",), 'exec: "/etc/passwd": permission denied'),
        (("/etc",), 'exec: "/etc": permission denied'),
        (("true", "x" * 200_000), 'exec: "true": argument list too long'),
    ],
)
async def test_what_cannot_be_executed_fails_to_start(site: Site, command: tuple[str, ...], reason: str) -> None:
    """The reason is in the words of the container runtimes, and there is no exit code."""
    driver = await site.driver()
    spec = site.job(*command)
    (outcome,) = await driver.launch([spec])
    assert isinstance(outcome, Handle)
    (seen,) = await site.over(driver, spec)
    assert (seen.state, seen.exit_code) == (TaskState.FAILED_TO_START, None)
    assert seen.reason == f"CannotStartContainerError: {reason}"


async def test_path_of_the_job_finds_its_program(site: Site, tmp_path: Any) -> None:
    """Programs are looked up on the job's PATH, not on ours."""
    (tmp_path / "here").write_text("#!/bin/sh\necho found\n")
    (tmp_path / "here").chmod(0o755)
    driver = await site.driver()
    spec = site.job("here", environment={"PATH": str(tmp_path)})
    await driver.launch([spec])
    await site.over(driver, spec)
    assert site.log(spec) == "found\n"


async def test_daemons_die_with_their_attempt_and_their_output_is_in_the_log(site: Site) -> None:
    """Whatever a job leaves, in sessions of its own and with an empty environment, is gone when its end is told."""
    driver = await site.driver()
    script = (
        "(setsid sh -c 'setsid sleep 1000 & setsid env -i sleep 1000 & echo daemon; sleep 1000' &);"
        "i=0; while [ $i -lt 50 ]; do sleep 0.02; i=$((i+1)); done; echo main; exit 5"
    )
    spec, other = site.shell(script), site.shell("sleep 1000")
    await driver.launch([spec, other])
    (seen,) = await site.over(driver, spec)
    assert seen.exit_code == 5
    assert sorted(site.log(spec).split()) == ["daemon", "main"]
    assert site.processes(spec) == []
    log = str(spec.container.log_path)
    holders = [pid for pid in filter(str.isdecimal, os.listdir("/proc")) if _holds(pid, log)]
    assert holders == []
    assert await site.until_started(other)


def is_there(path: str) -> bool:
    return os.path.lexists(path)


def _holds(pid: str, path: str) -> bool:
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{fd}") == path for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


async def test_stop_reaches_daemons(site: Site) -> None:
    """SIGTERM goes to everything at once; what ignores it is killed after the grace time."""
    driver = await site.driver()
    spec = site.shell(
        "trap 'until test -e told; do sleep 0.02; done; echo main; exit 3' TERM;"
        "setsid sh -c 'trap \"echo daemon; touch told\" TERM; echo up; while :; do sleep 0.05; done' &"
        "echo up; while :; do sleep 0.05; done"
    )
    await driver.launch([spec])
    await site.until(lambda: site.log(spec).count("up") == 2, "both are up")
    handle = Handle(attempt_id=spec.attempt_id)
    asked = time.monotonic()
    await driver.stop([StopRequest(handle=handle, grace_seconds=30)])
    (seen,) = await site.over(driver, spec)
    assert time.monotonic() - asked < 10
    assert seen.exit_code == 3
    assert "daemon" in site.log(spec)
    assert site.processes(spec) == []


async def test_usage_and_times(site: Site) -> None:
    """CPU seconds and peak memory are those of the job; its own clock agrees with the times to 100 ms.

    On a crowded machine a job may be held up just then, but not each time.
    """
    driver = await site.driver()
    program = "import time; print(time.time()); x = bytearray(50_000_000); sum(range(10**7)); print(time.time())"
    late: list[timedelta] = []
    for _ in range(5):
        spec = site.job("python3", "-c", program, environment={"PATH": os.environ["PATH"]}, memory_mib=512)
        await driver.launch([spec])
        (seen,) = await site.over(driver, spec)
        assert seen.exit_code == 0
        first, last = (datetime.fromtimestamp(float(line), UTC) for line in site.log(spec).split())
        assert seen.started_at is not None
        assert seen.stopped_at is not None
        assert seen.started_at <= first
        assert last <= seen.stopped_at
        assert seen.usage.cpu_seconds is not None
        assert 0.05 < seen.usage.cpu_seconds < 30
        assert seen.usage.peak_memory_bytes is not None
        assert 50_000_000 < seen.usage.peak_memory_bytes < 512 * 1024 * 1024
        late.append(seen.stopped_at - last)
        if late[-1] <= timedelta(milliseconds=100):
            break
    assert min(late) <= timedelta(milliseconds=100), late


async def test_memory_limit_is_kept_and_told(site: Site) -> None:
    """With a memory cgroup a job over its memory is killed, and known to have been; its neighbour is not."""
    driver = await site.driver()
    if not driver.capabilities().enforces_memory:
        pytest.skip(driver.capabilities().ignored_settings["memory"])
    program = "x = bytearray(200_000_000)"
    environment = {"PATH": os.environ["PATH"]}
    hog = site.job("python3", "-c", program, environment=environment, memory_mib=32)
    child = site.job("sh", "-c", f"python3 -c '{program}'; exit 9", environment=environment, memory_mib=32)
    modest = site.job("python3", "-c", "x = bytearray(1_000_000)", environment=environment, memory_mib=128)
    await driver.launch([hog, child, modest])
    seen = await site.over(driver, hog, child, modest)
    assert [each.exit_code for each in seen] == [137, 9, 0]
    assert [each.oom_killed for each in seen] == [True, True, False]
    assert seen[0].reason == "OutOfMemoryError: Container killed due to memory usage"
    again = site.job("true", memory_mib=32)
    await driver.launch([again])
    (after,) = await site.over(driver, again)
    assert (after.exit_code, after.oom_killed) == (0, False)
    assert after.usage.peak_memory_bytes is not None
    assert after.usage.peak_memory_bytes < 16 * 1024 * 1024


async def test_memory_limit_can_be_switched_off(site: Site) -> None:
    """Without cgroups nothing is enforced, and the capabilities say so."""
    driver = await site.driver(ProcessConfig(data_dir=site.data, cgroup="off", idle_seconds=2))
    assert driver.capabilities().enforces_memory is False
    assert "switched off" in driver.capabilities().ignored_settings["memory"]
    spec = site.job(
        "python3", "-c", "x = bytearray(200_000_000)", environment={"PATH": os.environ["PATH"]}, memory_mib=8
    )
    await driver.launch([spec])
    (seen,) = await site.over(driver, spec)
    assert (seen.exit_code, seen.oom_killed) == (0, False)
    assert (seen.usage.peak_memory_bytes or 0) > 200_000_000


async def test_ulimits_are_set(site: Site) -> None:
    """Limits hold in the job; one that may not be raised fails the start with its name."""
    driver = await site.driver()
    limits = (Ulimit(name="nofile", soft_limit=77, hard_limit=99), Ulimit(name="core", soft_limit=0, hard_limit=0))
    spec = site.shell("ulimit -Sn; ulimit -Hn; ulimit -c", settings=ContainerSettings(ulimits=limits))
    wrong = site.shell("true", settings=ContainerSettings(ulimits=(Ulimit(name="cpu", soft_limit=5, hard_limit=1),)))
    await driver.launch([spec, wrong])
    seen = await site.over(driver, spec, wrong)
    assert site.log(spec).split() == ["77", "99", "0"]
    assert seen[1].state is TaskState.FAILED_TO_START
    assert "ulimit cpu=5:1" in seen[1].reason


async def test_unknown_ulimit_and_empty_command_are_rejected(site: Site) -> None:
    """What can never work is refused at once, with the reason."""
    driver = await site.driver()
    unknown = site.shell("true", settings=ContainerSettings(ulimits=(Ulimit(name="x", soft_limit=1, hard_limit=1),)))
    (outcome,) = await driver.launch([unknown])
    assert isinstance(outcome, LaunchFailed)
    assert (outcome.fault, outcome.reason) == (LaunchFault.REJECTED, "there is no ulimit 'x'")


@as_root
@pytest.mark.parametrize("user", ["nobody", "65534", "12345:23456"])
async def test_job_runs_as_its_user(site: Site, user: str) -> None:
    """The job is that user, can use its folder, and leaves nothing."""
    driver = await site.driver()
    spec = site.shell("id -u; id -g; touch $HOME/file && pwd", settings=ContainerSettings(user=user))
    await driver.launch([spec])
    (seen,) = await site.over(driver, spec)
    assert seen.exit_code == 0, site.log(spec)
    uid, gid, folder = site.log(spec).split()
    entry = pwd.getpwnam("nobody")
    assert (int(uid), int(gid)) == ((12345, 23456) if ":" in user else (entry.pw_uid, entry.pw_gid))
    assert is_there(folder)
    await driver.release([Handle(attempt_id=spec.attempt_id)])
    assert not is_there(folder)


@as_root
async def test_setting_runs_all_jobs_as_a_user(site: Site) -> None:
    """With `process.user` every job is that user, and one that asks for another is refused."""
    driver = await site.driver(ProcessConfig(data_dir=site.data, user="nobody", idle_seconds=2))
    spec = site.shell("id -un")
    other = site.shell("true", settings=ContainerSettings(user="root"))
    _, refused = await driver.launch([spec, other])
    assert isinstance(refused, LaunchFailed)
    assert refused.fault is LaunchFault.REJECTED
    await site.over(driver, spec)
    assert site.log(spec) == "nobody\n"


async def test_unknown_user_is_rejected(site: Site) -> None:
    """A user that the machine does not have is a reason to refuse."""
    driver = await site.driver()
    (outcome,) = await driver.launch([site.shell("true", settings=ContainerSettings(user="no-such-user"))])
    assert isinstance(outcome, LaunchFailed)
    assert (outcome.fault, outcome.reason) == (
        LaunchFault.REJECTED,
        "user 'no-such-user' does not exist on this machine",
    )


async def test_release_removes_what_cannot_be_written_and_follows_no_link(site: Site, tmp_path: Any) -> None:
    """Read-only and deep folders go; what links point to stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    driver = await site.driver()
    spec = site.shell(
        f"ln -s {outside} link; mkdir -p a/b/c; touch a/b/c/f; ln -s {outside}/kept a/b/g; chmod 0 a/b/c/f;"
        "chmod 500 a/b/c; d=.; for i in $(seq 100); do d=$d/x; done; mkdir -p $d; chmod 0 a/b a; chmod 555 ."
    )
    await driver.launch([spec])
    await site.over(driver, spec)
    await driver.release([Handle(attempt_id=spec.attempt_id)])
    assert site.folders() == []
    await site.until(lambda: not any((site.data / "scratch" / ".trash").iterdir()), "the trash is swept")
    assert (outside / "kept").read_text() == "x"


async def test_two_thousand_jobs(site: Site) -> None:
    """Many jobs in few calls: each once, each exact, nothing left."""
    driver = await site.driver()
    specs = [site.job("sh", "-c", f"echo {number}; exit {number % 7}") for number in range(2000)]
    heard: set[str] = set()

    async def listen() -> None:
        async for batch in driver.watch():
            heard.update(each.attempt_id for each in batch if each.state is TaskState.EXITED)

    listener = asyncio.create_task(listen())
    for at in range(0, 2000, 100):
        await driver.launch(specs[at : at + 100])
    seen = await site.over(driver, *specs)
    assert [each.exit_code for each in seen] == [number % 7 for number in range(2000)]
    assert [site.log(spec) for spec in specs] == [f"{number}\n" for number in range(2000)]
    await site.until(lambda: len(heard) == 2000, "all ends through watch")
    listener.cancel()
    await driver.release([Handle(attempt_id=spec.attempt_id) for spec in specs])
    assert site.folders() == []
    assert await driver.discover() == []
