"""Time-outs are counted on the boot clock of the boot in which an attempt was seen to run."""

from dataclasses import replace
from typing import cast

from longshore.control.ledger import Host
from longshore.control.present import Present
from longshore.domain.ids import AttemptId, HostId
from longshore.domain.job import Intent, Job
from longshore.domain.resources import Resources
from longshore.ports.store import Reader
from longshore.testing.builders import a_job, a_job_spec, an_attempt, an_environment

HOSTS = [Host(id=HostId("local"), total=Resources(vcpu_milli=4000, memory_mib=4096))]


class _Environments:
    """All that `Present` asks of a reader here."""

    def environments(self, scope: object, *, limit: int) -> list[object]:
        return [an_environment()]

    def service_environments(self, scope: object, *, limit: int) -> list[object]:
        return []

    def queues(self, scope: object, *, limit: int) -> list[object]:
        return []


READER = cast(Reader, _Environments())


def _running(boot_id: str) -> tuple[Present, AttemptId]:
    job: Job = a_job(a_job_spec(timeout_seconds=60))
    attempt = replace(an_attempt(job), started_at=job.created_at, started_boot_id=boot_id, started_boot_seconds=100.0)
    present = Present(HOSTS)
    present.note_attempt(READER, attempt, job)
    return present, attempt.attempt_id


def test_an_attempt_is_overdue_once_when_its_time_has_passed() -> None:
    present, attempt_id = _running("this-boot")
    assert present.overdue("this-boot", 159.9) == []
    assert [entry.attempt.attempt_id for entry in present.overdue("this-boot", 160.0)] == [attempt_id]
    assert present.overdue("this-boot", 1000.0) == []


def test_deadlines_of_attempts_that_have_ended_are_forgotten() -> None:
    """However many have ended before their time, about as many are kept as run."""
    present, attempt_id = _running("this-boot")
    for number in range(2, 1_000):
        job = a_job(a_job_spec(number, timeout_seconds=86_400))
        attempt = replace(an_attempt(job), started_at=job.created_at, started_boot_id="this-boot")
        for seconds in (None, 50.0):
            attempt = replace(attempt, started_boot_seconds=seconds)
            present.note_attempt(READER, attempt, job)
        over = replace(attempt, stopped_at=job.created_at, intent=Intent.NONE)
        present.note_attempt(READER, over, job)
    assert len(present._deadlines) < 100  # pyright: ignore[reportPrivateUsage]
    assert [entry.attempt.attempt_id for entry in present.overdue("this-boot", 100_000.0)] == [attempt_id]


def test_a_reading_of_another_boot_means_nothing() -> None:
    """After a reboot the attempt is lost, not timed out."""
    present, _ = _running("the-boot-before")
    assert present.overdue("this-boot", 1000.0) == []
