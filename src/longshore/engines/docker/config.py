"""Settings of the Docker engine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

_INSTALLATION_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{7,63}$")
_SCHEMES = ("unix:///", "tcp://", "http://", "https://", "ssh://")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig:
    """Every setting of the driver. Raises ValueError, which names the setting, for a value that cannot be meant."""

    #: whose containers these are: no other container is ever adopted or touched
    installation_id: str
    #: `unix:///path`, `tcp://host:port`, `https://host:port` or `ssh://user@host`
    socket: str = "unix:///var/run/docker.sock"
    #: a job that asks for `privileged`, which makes it root on the host, gets it, runs without it, or fails
    privileged: Literal["allow", "drop", "refuse"] = "refuse"
    #: what jobs may mount or open of the host: these absolute paths and all below them
    host_paths: tuple[Path, ...] = ()
    network: Literal["host", "bridge"] = "bridge"
    #: container settings that have no effect as the server is set up, each with the reason
    ignored: Mapping[str, str] = field(default_factory=dict[str, str])
    #: most disk, in MiB, that the output of one container may take at the engine; the oldest makes room for the newest
    log_mib: int = 64
    #: containers that are created and started at once; calls of each other kind that are in flight at once
    concurrency: int = 8
    #: how long the engine may take to answer an ordinary call
    call_seconds: float = 10.0
    #: how long it may take to create or to start a container, and a pull to make no progress
    launch_seconds: float = 240.0
    #: how often CPU time and memory of running containers are read
    sample_seconds: float = 1.0

    def __post_init__(self) -> None:
        if not _INSTALLATION_ID.match(self.installation_id):
            raise ValueError(f"installation id {self.installation_id!r}: want 8 to 64 letters, digits, or any of _.-")
        if not self.socket.startswith(_SCHEMES):
            raise ValueError(f"docker.socket {self.socket!r}: want one of {', '.join(_SCHEMES)}")
        for path in self.host_paths:
            if not path.is_absolute():
                raise ValueError(f"docker.host_paths {str(path)!r}: want absolute paths")
        for name in ("log_mib", "concurrency", "call_seconds", "launch_seconds", "sample_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"docker.{name} {getattr(self, name)}: want more than 0")
