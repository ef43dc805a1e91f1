"""`aws logs tail`, as people use it."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.api.logs.logs_service import GROUP, PATIENCE_SECONDS, REGION, Logs, poll

pytestmark = pytest.mark.awscli


@pytest.fixture
def tail(logs: Logs, aws_v2: Path, tmp_path: Path) -> list[str]:
    """The command, without its options."""
    return [str(aws_v2), "--endpoint-url", logs.url, "logs", "tail", GROUP, "--format", "short"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PAGER": "",
        "PYTHONUNBUFFERED": "1",
    }


def test_tail_shows_what_was_written(logs: Logs, tail: list[str], environment: dict[str, str]) -> None:
    attempt = logs.start()
    attempt.write(b"first line\nsecond line\n")
    attempt.end()
    told = subprocess.run(tail, env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert [line.split(" ", 1)[1] for line in told.stdout.splitlines()] == ["first line", "second line"]


def test_tail_follows_running_attempts_without_loss_or_repeat(
    logs: Logs, tail: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    attempts = [logs.start("a"), logs.start("b")]
    attempts[0].write(b"a 0\n")
    output = tmp_path / "output"
    with output.open("wb") as file:
        following = subprocess.Popen([*tail, "--follow"], env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        poll(lambda: b"a 0" in output.read_bytes())
        pace = threading.Event()
        for number in range(1, 40):
            for attempt, name in zip(attempts, "ab", strict=True):
                attempt.write(f"{name} {number}\n".encode())
                pace.wait(0.01)
        for attempt in attempts:
            attempt.end()
        poll(lambda: output.read_bytes().count(b"\n") >= 79)
        lines = [line.split(" ", 1)[1] for line in output.read_text().splitlines()]
        assert sorted(lines) == sorted([f"a {n}" for n in range(40)] + [f"b {n}" for n in range(1, 40)])
    finally:
        following.terminate()
        following.wait(PATIENCE_SECONDS)
