"""Settings of the process engine."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
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

    @property
    def shared_dir(self) -> Path:
        """Where parts of one attempt share folders.

        A server that may change users runs parts as others, who cannot enter the data folder: theirs are beside it.
        """
        if os.geteuid() != 0:
            return self.data_dir.absolute() / "shared"
        name = blake2b(os.fsencode(os.path.realpath(self.data_dir)), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"longshore-shared-{name}"
