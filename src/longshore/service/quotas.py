"""How much an account may have in one region. Source: AWS Batch user guide, service quotas."""

from collections.abc import Sized
from dataclasses import dataclass

from longshore.service.refusals import invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The most of each, as AWS Batch has them unless it was asked for more."""

    array_size: int = 10_000
    compute_environments: int = 50
    job_queues: int = 50


def check_quota(present: Sized, most: int, what: str) -> None:
    """Raises InvalidRequest when one more than `present` would be too many; `what` is the plural."""
    if len(present) >= most:
        raise invalid(f"An account cannot have more than {most} {what} in a region")
