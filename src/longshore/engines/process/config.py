"""Settings of the process engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessConfig:
    """What a driver is told when it is made."""

    #: of the installation; the runner keeps `runner/` and `scratch/` in it
    data_dir: Path
    #: user that every job runs as; None: the server's own, or the job's where the server may change users
    user: str | None = None
    #: auto: jobs are held to their memory where a memory cgroup may be written
    cgroup: Literal["auto", "off"] = "auto"
    #: container settings that have no effect as the server is set up, each with the reason
    ignored: Mapping[str, str] = field(default_factory=dict[str, str])
    #: the runner leaves by itself when for so long nobody was connected and nothing is alive
    idle_seconds: float = 30.0
    #: longest wait for a runner to start
    start_seconds: float = 15.0
    #: longest wait for the answer to a request
    answer_seconds: float = 30.0
