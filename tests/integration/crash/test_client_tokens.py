"""One job for one client token, however many ask at once and wherever the server dies."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from longshore.ports.crash_points import VARIABLE
from tests.integration.live import LiveServer, live_server

TAG = "longshore:client-token"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """With a queue whose jobs wait."""
    with live_server(tmp_path) as server:
        server.start()
        server.set_up()
        server.register("definition", "exit 0")
        server.batch.update_compute_environment(computeEnvironment="environment", state="DISABLED")
        yield server


def submit(server: LiveServer, token: str, size: int | None = None) -> str:
    array = {} if size is None else {"arrayProperties": {"size": size}}
    return server.submit("job", "definition", tags={TAG: token}, **array)


def ids_by_token(server: LiveServer) -> dict[str, list[str]]:
    """All jobs there are."""
    found: dict[str, list[str]] = {}
    pages = (
        server.batch.list_jobs(jobQueue="queue", jobStatus=status)["jobSummaryList"]
        for status in ("SUBMITTED", "PENDING", "RUNNABLE")  # as jobs move, so that none is missed
    )
    for job_id, job in server.describe({each["jobId"] for page in pages for each in page}).items():
        found.setdefault(job["tags"][TAG], []).append(job_id)
    return found


def test_many_at_once(server: LiveServer) -> None:
    """16 callers, each of 5 tokens from all of them: 5 jobs, and everybody is told the same."""
    tokens = [f"token-{number}" for number in range(5)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda call: (call, submit(server, call)), tokens * 16))
    assert ids_by_token(server) == {token: [job_id] for token, job_id in sorted(set(answers))}


@pytest.mark.parametrize("size", [None, 50])
@pytest.mark.parametrize(("point", "stored"), [("commit.after", True), ("commit.before", False)])
def test_killed_before_the_answer(server: LiveServer, point: str, stored: bool, size: int | None) -> None:
    """The job is stored with its token or not at all; the call that is made again gets it, or makes it."""
    answered: dict[str, str] = {}
    for number in count(1):
        assert number < 20, "no submission was cut off between its commit and its answer"
        token = f"token-{number}"
        server.kill()
        server.start(**{VARIABLE: f"{point}:{number}"})
        try:
            answered[token] = submit(server, token, size)
        except (BotoCoreError, ClientError):
            assert server.process is not None
            server.process.wait(10)
        if not server.has_ended:
            continue
        server.start()
        found = ids_by_token(server)
        if token not in answered and (token in found) is stored:
            break
    answered |= {each: job_id for each, (job_id,) in found.items()}
    again = {each: submit(server, each, size) for each in (*answered, token)}
    assert again == {**again, **answered}
    assert ids_by_token(server) == {each: [job_id] for each, job_id in again.items()}
