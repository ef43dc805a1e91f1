"""The `/metrics` page: what happened, counted as it is reported, and what is, read when somebody asks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from longshore.domain.lifecycle.status import WAITING_STATUSES, JobStatus
from longshore.domain.resources import Resources
from longshore.ports.clock import Clock
from longshore.ports.overview import EngineHealth, HostUse, Overview
from longshore.ports.store import QueueDepth, Store
from longshore.ports.telemetry import AttemptEnded, JobsMoved, JobStarted, TelemetryEvent

#: From an idle server's start of a short job to jobs of days.
_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
_QUEUE = ("region", "queue")
_AMOUNTS: Mapping[str, tuple[str, Callable[[Resources], float]]] = {
    "vcpus": ("vCPU", lambda amounts: amounts.vcpu_milli / 1000),
    "memory_bytes": ("Memory", lambda amounts: amounts.memory_mib * 2**20),
    "gpus": ("GPU", lambda amounts: amounts.gpus),
    "scratch_bytes": ("Scratch disk", lambda amounts: amounts.scratch_mib * 2**20),
}


class Metrics:
    """Implements `ports.telemetry.Telemetry`; one for each server."""

    #: of what `scrape` returns
    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, store: Store, overview: Overview, clock: Clock) -> None:
        self._store = store
        self._overview = overview
        self._clock = clock
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._transitions = Counter(
            "longshore_job_transitions_total",
            "Jobs and array children that went from one status to another",
            (*_QUEUE, "status_from", "status_to"),
            registry=self._registry,
        )
        self._wait = Histogram(
            "longshore_job_wait_seconds",
            "Time from submission to the start of a job's first attempt",
            _QUEUE,
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._attempts = Counter(
            "longshore_attempts_total",
            "Attempts that ended, by outcome",
            (*_QUEUE, "outcome"),
            registry=self._registry,
        )
        self._run = Histogram(
            "longshore_attempt_run_seconds",
            "Time that an attempt ran",
            (*_QUEUE, "outcome"),
            buckets=_SECONDS,
            registry=self._registry,
        )

    def record(self, events: Sequence[TelemetryEvent]) -> None:
        for event in events:
            labels = (event.scope.region, event.queue_name)
            match event:
                case JobsMoved():
                    self._transitions.labels(*labels, event.status_from, event.status_to).inc(event.count)
                case JobStarted():
                    self._wait.labels(*labels).observe(max(event.wait_seconds, 0.0))
                case AttemptEnded():
                    self._attempts.labels(*labels, event.outcome).inc()
                    if event.run_seconds is not None:
                        self._run.labels(*labels, event.outcome).observe(max(event.run_seconds, 0.0))
                case _:
                    assert_never(event)

    async def scrape(self) -> bytes:
        """The page in Prometheus' text format. Costs by queues and unfinished submissions, not by history.

        Raises:
            StoreUnavailable: the store can't be read.
        """
        depths = await self._store.read(lambda reader: reader.queue_depths())
        now = CollectorRegistry()
        now.register(_Present(depths, self._overview.engines(), self._overview.hosts(), self._clock.now()))
        return generate_latest(self._registry) + generate_latest(now)


class _Present(Collector):
    """What is at this moment."""

    def __init__(
        self,
        depths: Sequence[QueueDepth],
        engines: Sequence[EngineHealth],
        hosts: Sequence[HostUse],
        now: datetime,
    ) -> None:
        self._depths = depths
        self._engines = engines
        self._hosts = hosts
        self._now = now

    def collect(self) -> Iterable[Metric]:
        yield from self._collect_queues()
        up = GaugeMetricFamily("longshore_engine_up", "Whether an engine can be used", labels=["engine"])
        for engine in self._engines:
            up.add_metric([engine.name], 0.0 if engine.problem else 1.0)
        yield up
        for name, (text, amount) in _AMOUNTS.items():
            total = GaugeMetricFamily(f"longshore_host_{name}", f"{text} that a host offers", labels=["host"])
            free = GaugeMetricFamily(f"longshore_host_free_{name}", f"{text} of a host that is free", labels=["host"])
            for host in self._hosts:
                total.add_metric([host.id], amount(host.total))
                free.add_metric([host.id], amount(host.free))
            yield from (total, free)

    def _collect_queues(self) -> Iterable[Metric]:
        counts: dict[tuple[str, str, JobStatus], int] = {}
        oldest: dict[tuple[str, str], datetime] = {}
        for depth in self._depths:  # queues of several accounts may share a name: they are one here
            queue = (depth.scope.region, depth.queue_name)
            counts[*queue, depth.status] = counts.get((*queue, depth.status), 0) + depth.count
            if depth.status in WAITING_STATUSES and depth.oldest_created_at is not None:
                oldest[queue] = min(depth.oldest_created_at, oldest.get(queue, depth.oldest_created_at))
        jobs = GaugeMetricFamily(
            "longshore_jobs",
            "Jobs and array children that have not ended; each STARTING or RUNNING one holds an attempt",
            labels=[*_QUEUE, "status"],
        )
        for (region, queue_name, status), count in counts.items():
            jobs.add_metric([region, queue_name, status], count)
        yield jobs
        age = GaugeMetricFamily(
            "longshore_oldest_waiting_seconds", "Time since the oldest waiting job was submitted", labels=_QUEUE
        )
        for queue, created_at in oldest.items():
            age.add_metric(queue, max((self._now - created_at).total_seconds(), 0.0))
        yield age
