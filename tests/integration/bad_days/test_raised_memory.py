"""A job that is killed for lack of memory is tried again with more, on a real engine."""

from pathlib import Path

import pytest

from longshore.domain.lifecycle import reasons
from tests.integration.bad_days.test_docker_jobs import docker_server
from tests.integration.docker.workbench import IMAGE, Engine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

#: Tells the limit of its memory in bytes, and then needs more than 20 MB: for a line that never ends.
NEEDS_MEMORY = (
    "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes; "
    "head -c 20000000 /dev/zero | tail > /dev/null"
)


def test_memory_is_raised_until_it_is_enough(tmp_path: Path, engine: Engine) -> None:
    """Each container has the limit that the job asks for then; DescribeJobs and `explain` show it."""
    with docker_server(tmp_path, engine) as server:
        server.start()
        server.set_up(engine="docker")
        amounts = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "16"}]
        definition = server.register(
            "grows",
            NEEDS_MEMORY,
            image=IMAGE,
            container={"resourceRequirements": amounts, "linuxParameters": {"maxSwap": 0}},
            retryStrategy={"attempts": 8},  # the engine itself misses now and then what a kill was for
            tags={"longshore:on-oom": "x4 max=100"},
        )
        job_id = server.submit("job", definition)
        job = server.wait([job_id])[job_id]
        assert job["status"] == "SUCCEEDED", job
        *killed, last = job["attempts"]
        limits = [int(server.log_of(attempt).split()[0]) // 2**20 for attempt in job["attempts"]]
        ends = [attempt["container"].get("reason") for attempt in killed]
        raised = [16]
        for reason in ends:
            raised.append(min(100, raised[-1] * 4) if reason == reasons.OUT_OF_MEMORY else raised[-1])
        assert reasons.OUT_OF_MEMORY in ends
        assert limits == raised
        assert last["container"]["exitCode"] == 0
        amounts[1]["value"] = str(limits[-1])
        assert job["container"]["resourceRequirements"] == amounts
        told = server.native(f"/longshore/jobs/{job_id}/explain")
        assert [attempt["asked"]["memoryMib"] for attempt in told["attempts"]] == limits
        decisions = " ".join(attempt["decision"] for attempt in told["attempts"])
        assert "tried again with 64 MiB in place of 16 MiB, as longshore:on-oom says" in decisions
