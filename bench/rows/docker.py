"""Throughput of an array job on Docker, beside a bare loop over Docker's API."""

import json
import shutil
import subprocess
import time
from pathlib import Path

from figures import Figure
from peers import docker_loop
from row import Bench
from service import TRUE, Service, wait_until

IMAGE = "longshore-test/busybox:1"
_IMAGE_SCRIPT = Path(__file__).parents[2] / "tests" / "parts" / "docker-image.sh"


def docker_answers() -> bool:
    """Whether there is a Docker engine to measure on."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def make_image() -> None:
    """The engine has `IMAGE`."""
    subprocess.run([_IMAGE_SCRIPT], check=True, stdout=subprocess.DEVNULL)


def measure(bench: Bench) -> list[Figure]:
    """Containers per second, ours until the last container is removed."""
    if not docker_answers():
        bench.say("skipped: no Docker engine answers")
        return []
    make_image()
    count = bench.scaled(200, quick=16)
    trial = bench.scaled(60, quick=8)
    trials: dict[int, float] = {}
    for width in (1, 2, 4, 8):
        bench.say(f"bare loop, {trial} containers, {width} at once")
        trials[width] = trial / docker_loop.run(IMAGE, TRUE, trial, width=width)
    best = max(trials, key=trials.__getitem__)
    ours, bare = list[float](), list[float]()
    with Service(bench.fresh("docker"), engine="docker") as service:
        service.register("true", TRUE, image=IMAGE)
        service.wait_for_end(service.submit("true"))
        for turn in range(bench.scaled(3, quick=1)):
            bench.say(f"turn {turn + 1}: {count} children on Longshore")
            ours.append(count / _run_ours(service, count))
            bench.say(f"turn {turn + 1}: {count} in a bare loop, {best} at once")
            bare.append(count / docker_loop.run(IMAGE, TRUE, count, width=best))
    widths = ", ".join(f"{width}: {rate:.1f}/s" for width, rate in trials.items())
    return [
        Figure(
            row="docker",
            what=f"array of {count} on Docker",
            unit="tasks/s",
            ours=ours,
            peer_name="bare loop at its best",
            peer=bare,
            bar=0.9,
            is_rate=True,
            note=f"the loop ran {best} at once; its rate by how many: {widths}",
        )
    ]


def _run_ours(service: Service, count: int) -> float:
    marker = json.loads((service.data / "longshore.json").read_text())["installation_id"]
    began = time.perf_counter()
    service.wait_for_end(service.submit("true", arrayProperties={"size": count}))
    wait_until(lambda: not _containers(marker), seconds=60, what="no container is left")
    return time.perf_counter() - began


def _containers(marker: str) -> str:
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"name=longshore-{marker[:8]}-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
