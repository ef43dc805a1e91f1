"""Processes of a container that its engine has lost sight of are found by its control group, and killed."""

import subprocess
from pathlib import Path

import pytest

from longshore.engines.docker.leftovers import kill_leftovers, processes_of


@pytest.mark.parametrize(
    "place", ["docker/{0}", "memory/docker/{0}", "system.slice/docker-{0}.scope", "pids/system.slice/docker-{0}.scope"]
)
def test_only_this_container_is_killed(tmp_path: Path, place: str) -> None:
    """Wherever its control group is; one that is over already is no error."""
    with subprocess.Popen(["sleep", "1000"]) as ours, subprocess.Popen(["sleep", "1000"]) as other:
        try:
            for container, process in (("c0ffee", ours), ("c0ffee1", other)):
                folder = tmp_path / place.format(container)
                folder.mkdir(parents=True)
                (folder / "cgroup.procs").write_text(f"{process.pid}\n")
            assert processes_of("c0ffee", cgroups=tmp_path) == {ours.pid}
            kill_leftovers("c0ffee", cgroups=tmp_path)
            assert ours.wait(timeout=10) == -9
            kill_leftovers("c0ffee", cgroups=tmp_path)
            assert other.poll() is None
        finally:
            ours.kill()
            other.kill()
    assert processes_of("absent", cgroups=tmp_path) == set()
