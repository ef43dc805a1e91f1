"""Dependencies between jobs: what an edge asks for, and which jobs it joins."""

from dataclasses import dataclass
from enum import StrEnum


class DependencyType(StrEnum):
    """How an array job depends. Source: AWS Batch user guide, job dependencies."""

    SEQUENTIAL = "SEQUENTIAL"
    N_TO_N = "N_TO_N"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """An entry of `dependsOn`, as it was given."""

    job_id: str | None = None
    type: DependencyType | None = None
