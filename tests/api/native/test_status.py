"""`/longshore/status` and `/metrics`: the present of the whole server."""

import re
from datetime import timedelta

from longshore.domain.ids import Scope
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.telemetry import AttemptEnded, JobsMoved, JobStarted
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, a_job, a_queue
from tests.api.native.native_desk import Desk


async def scrape(desk: Desk) -> dict[str, float]:
    """Samples of the metrics page by name with labels."""
    answer = await desk.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_an_idle_server(desk: Desk) -> None:
    status = await desk.ask("status")
    assert re.fullmatch(r"[0-9.]+", status["version"])
    assert status["engines"] == [{"name": "fake", "problem": ""}]
    [host] = status["hosts"]
    assert host["free"] == host["total"] == {"vcpus": 4.0, "memoryMib": 4096, "gpus": 0, "scratchMib": 0}
    [queue] = status["queues"]
    assert (queue["name"], queue["depths"], queue["headWaits"]) == ("queue", {}, "")
    assert status["oldestWaitingSeconds"] is None


async def test_what_waits_and_why(desk: Desk) -> None:
    await desk.submit(a_job().needing(vcpu=3))
    await desk.submit(a_job().needing(vcpu=2).array(2).created(-30))
    await desk.submit(a_job().needing(vcpu=1))
    status = await desk.ask("status")
    [queue] = status["queues"]
    assert queue["depths"] == {"RUNNABLE": 3, "STARTING": 1}
    assert queue["headWaits"] == (
        "compute environment environment: host local: asks 2 vCPU, free 1 vCPU of 4 vCPU"
    )  # of the array's first child, though the newest job is another
    assert status["oldestWaitingSeconds"] == 30 + (desk.clock.now() - A_MOMENT).total_seconds()
    assert status["hosts"][0]["free"]["vcpus"] == 1.0


async def test_queues_of_all_regions_by_priority(desk: Desk) -> None:
    other = Scope(account_id=A_SCOPE.account_id, region="eu-north-1")
    await desk.put(queue=a_queue(scope=other, priority=9))
    queues = (await desk.ask("status"))["queues"]
    assert [(queue["region"], queue["priority"]) for queue in queues] == [("eu-north-1", 9), ("us-east-1", 1)]


async def test_an_engine_that_is_down(desk: Desk) -> None:
    desk.leader.lanes["fake"].problem = "it does not answer"
    assert (await desk.ask("status"))["engines"] == [{"name": "fake", "problem": "it does not answer"}]
    assert (await scrape(desk))['longshore_engine_up{engine="fake"}'] == 0


async def test_metrics_of_the_present(desk: Desk) -> None:
    await desk.submit(a_job().needing(vcpu=3))
    await desk.submit(a_job().needing(vcpu=2, memory_mib=256).created(-60))
    samples = await scrape(desk)
    assert samples['longshore_jobs{queue="queue",region="us-east-1",status="STARTING"}'] == 1
    assert samples['longshore_jobs{queue="queue",region="us-east-1",status="RUNNABLE"}'] == 1
    oldest = samples['longshore_oldest_waiting_seconds{queue="queue",region="us-east-1"}']
    assert oldest == 60 + (desk.clock.now() - A_MOMENT).total_seconds()
    assert samples['longshore_engine_up{engine="fake"}'] == 1
    assert samples['longshore_host_vcpus{host="local"}'] == 4
    assert samples['longshore_host_free_vcpus{host="local"}'] == 1
    assert samples['longshore_host_free_memory_bytes{host="local"}'] == (4096 - 128) * 2**20
    assert samples["process_resident_memory_bytes"] > 0


async def test_metrics_of_what_happened(desk: Desk) -> None:
    queue = {"scope": A_SCOPE, "queue_name": "queue"}
    moved = JobsMoved(**queue, status_from=JobStatus.RUNNABLE, status_to=JobStatus.STARTING, count=3)
    desk.metrics.record([moved, moved, JobStarted(**queue, wait_seconds=2.0)])
    desk.metrics.record([AttemptEnded(**queue, outcome="failed", run_seconds=0.3)])
    desk.metrics.record([AttemptEnded(**queue, outcome="lost", run_seconds=None)])
    samples = await scrape(desk)
    labels = 'queue="queue",region="us-east-1"'
    moves = f'longshore_job_transitions_total{{{labels},status_from="RUNNABLE",status_to="STARTING"}}'
    assert samples[moves] == 6
    assert samples[f"longshore_job_wait_seconds_sum{{{labels}}}"] == 2
    assert samples[f'longshore_job_wait_seconds_bucket{{le="1.0",{labels}}}'] == 0
    assert samples[f'longshore_job_wait_seconds_bucket{{le="5.0",{labels}}}'] == 1
    assert samples[f'longshore_attempts_total{{outcome="lost",{labels}}}'] == 1
    assert samples[f'longshore_attempt_run_seconds_count{{outcome="failed",{labels}}}'] == 1
    assert f'longshore_attempt_run_seconds_count{{outcome="lost",{labels}}}' not in samples


async def test_the_clock_may_be_set_back(desk: Desk) -> None:
    await desk.submit(a_job().needing(vcpu=9))
    desk.clock.jump_wall(-timedelta(hours=1).total_seconds())
    assert (await desk.ask("status"))["oldestWaitingSeconds"] == 0
    assert (await scrape(desk))['longshore_oldest_waiting_seconds{queue="queue",region="us-east-1"}'] == 0
