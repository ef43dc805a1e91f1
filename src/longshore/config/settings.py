"""What settings there are: their names, kinds, defaults and what each does.

Knows nothing of what the settings are for: `app` hands them on.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from longshore.config.kinds import (
    ADDRESS,
    ENDPOINT,
    FILE_SYSTEMS,
    GPU_NAME,
    HOST_NAME,
    PATH,
    PRICES,
    USER,
    Kind,
    many,
    matching,
    one_of,
    optional,
    whole,
)
from longshore.domain.errors import LongshoreError
from longshore.domain.prices import Price

T = TypeVar("T")

PREFIX = "LONGSHORE_"


class SettingsError(LongshoreError):
    """A setting is wrong. The message is one line: where it was given, what was given, what would be right."""


def setting(kind: Kind[T], doc: str, default: T) -> T:
    """A dataclass field that holds a setting."""
    return field(default=default, metadata={"kind": kind, "doc": doc})


def measured(kind: Kind[T], doc: str, measure: Callable[[], T]) -> T:
    """A dataclass field that holds a setting whose default is read off the machine."""
    return field(default_factory=measure, metadata={"kind": kind, "doc": doc})


def measure_vcpus() -> int:
    """The CPUs that this process may run on."""
    return len(os.sched_getaffinity(0))


def measure_memory_mib(meminfo: Path = Path("/proc/meminfo")) -> int:
    """The memory of this machine. Source: proc_meminfo(5), MemTotal, in KiB."""
    total = re.search(r"^MemTotal:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    if total is None:
        raise SettingsError(f"{meminfo} does not tell this machine's memory; set local.memory_mib")
    return int(total[1]) // 1024


def measure_gpus(devices: Path = Path("/dev")) -> tuple[str, ...]:
    """The NVIDIA GPUs of this machine by number, as CUDA_VISIBLE_DEVICES and Docker name them."""
    numbers = (re.fullmatch("nvidia([0-9]+)", device.name) for device in devices.iterdir())
    return tuple(sorted((number[1] for number in numbers if number), key=int))


def default_data_folder() -> Path:
    """Where a server of this user keeps its data. Source: XDG Base Directory Specification."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "longshore"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    host: str = setting(ADDRESS, "Address to listen on.", "127.0.0.1")
    host_names: tuple[str, ...] = setting(
        many(HOST_NAME, "a list of host names without port, none twice"),
        "Names beside the loopback ones that requests may be sent to (Host), as behind a proxy; with auth sigv4, any.",
        (),
    )
    port: int = setting(whole(0, 65535), "Port to listen on; 0 takes any that is free.", 8642)
    unix_socket: Path | None = setting(
        optional(PATH, "none"), "Unix socket to listen on besides, for its owner only (0600).", None
    )
    auth: Literal["open", "sigv4"] = setting(
        one_of("open", "sigv4"),
        "Who is served: anybody who reaches it, or who signs requests with a key made by `longshore keys`.",
        "open",
    )
    data: Path = measured(PATH, "Folder that holds everything the server keeps.", default_data_folder)
    account_id: str = setting(
        matching("[0-9]{12}", "an account number of 12 digits"), "Account that things belong to.", "000000000000"
    )
    region: str = setting(
        matching("[a-z]{2,}(-[a-z]+)+-[0-9]+", "the name of a region, such as us-east-1"),
        "Region of requests that name none.",
        "us-east-1",
    )
    engine: Literal["auto", "process", "docker"] = setting(
        one_of("auto", "process", "docker"),
        "Engine of environments without a longshore:engine tag; auto is docker where one answers, else process.",
        "auto",
    )
    log_format: Literal["console", "json"] = setting(
        one_of("console", "json"), "Form of the server's own log, on standard error.", "console"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        one_of("DEBUG", "INFO", "WARNING", "ERROR"), "Least level of what it logs.", "INFO"
    )

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach the address."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    vcpus: int = measured(whole(1, 1_000_000), "vCPUs that this machine offers to jobs.", measure_vcpus)
    memory_mib: int = measured(whole(1, 2**30, "MiB"), "Memory that it offers to jobs.", measure_memory_mib)
    gpus: tuple[str, ...] = measured(
        many(GPU_NAME, "a list of GPU names, none twice"), "Names of the GPUs that it offers to jobs.", measure_gpus
    )
    scratch_mib: int | None = setting(
        optional(whole(0, 2**40, "MiB"), "auto"),
        "Disk that it offers to jobs for their files; auto: nine tenths of what is free at the start beside the data.",
        None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    user: str | None = setting(
        optional(USER, "none"), "User that jobs run as; none: the server's own. Another needs root.", None
    )
    grace_seconds: int = setting(
        whole(0, 86_400, "seconds"), "From SIGTERM to SIGKILL when a job is stopped. AWS Batch gives 30.", 30
    )
    cgroup: Literal["auto", "off"] = setting(
        one_of("auto", "off"),
        "Hold jobs to their limits by cgroups; auto: where the server may write them.",
        "auto",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSettings:
    socket: Path = setting(PATH, "Socket of a Docker-compatible engine.", Path("/var/run/docker.sock"))
    privileged: Literal["allow", "drop", "refuse"] = setting(
        one_of("allow", "drop", "refuse"),
        "A job that asks for privileged mode, which is root on this machine: gets it, runs without it, or is refused.",
        "refuse",
    )
    host_paths: tuple[Path, ...] = setting(
        many(PATH, "a list of folders, none twice"), "Folders that jobs may mount, with all that is in them.", ()
    )
    network: Literal["host", "bridge"] = setting(
        one_of("host", "bridge"), "Network of containers. On EC2 AWS Batch uses the host's.", "bridge"
    )
    credentials_address: Literal["169.254.170.2", "169.254.170.23"] | None = setting(
        optional(one_of("169.254.170.2", "169.254.170.23"), "none"),
        "Address of this machine on a Docker network at which containers fetch the credentials of job roles.",
        None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    endpoint: str | None = setting(
        optional(ENDPOINT, "none"), "Where secrets, roles and objects of jobs are; aws: at AWS; none: nowhere.", None
    )
    secrets_endpoint: str | None = setting(optional(ENDPOINT, "same"), "Secrets Manager; same: aws.endpoint.", None)
    ssm_endpoint: str | None = setting(optional(ENDPOINT, "same"), "Parameter Store; same: aws.endpoint.", None)
    sts_endpoint: str | None = setting(optional(ENDPOINT, "same"), "STS, for roles of jobs; same: aws.endpoint.", None)
    s3_endpoint: str | None = setting(optional(ENDPOINT, "same"), "S3, for trainings; same: aws.endpoint.", None)
    patience_seconds: int = setting(whole(0, 3600, "seconds"), "How long a start waits for one that is away.", 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSettings:
    efs: Mapping[str, Path] = field(
        default_factory=dict[str, Path],
        metadata={"kind": FILE_SYSTEMS, "doc": "Folders that stand for EFS file systems and access points."},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSettings:
    currency: str = setting(
        matching("[A-Z]{3}", "a currency's code of three letters"), "Currency of the prices.", "USD"
    )
    environments: Mapping[str, Price] = field(
        default_factory=dict[str, Price],
        metadata={
            "kind": PRICES,
            "doc": "Prices of a vCPU, GiB of memory and GPU for an hour, and the part of it that spot capacity costs.",
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    array_size_max: int = setting(whole(2, 100_000), "Most children an array job may have. AWS Batch: 10000.", 10_000)
    environments_max: int = setting(
        whole(1, 100_000), "Most compute environments of an account in a region. AWS Batch: 50.", 50
    )
    queues_max: int = setting(whole(1, 100_000), "Most job queues of an account in a region. AWS Batch: 50.", 50)
    lost_host_retries: int = setting(
        whole(0, 1000), "Attempts lost with their host that are tried again without spending the job's own retries.", 5
    )
    age_bound_seconds: int = setting(
        whole(60, 10 * 366 * 24 * 3600, "seconds"),
        "A job that has waited for so long comes before all others. A queue's tag longshore:age-bound comes first.",
        7 * 24 * 3600,
    )
    body_bytes: int = setting(
        whole(65_536, 2**26, "bytes"), "Longest request body that is read; puts of log events may have 8 MiB.", 2**20
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    history_days: int | None = setting(
        optional(whole(1, 36_500, "days"), "keep"), "Days that finished jobs stay in history; keep: forever.", None
    )
    log_days: int | None = setting(
        optional(whole(1, 36_500, "days"), "keep"),
        "Days that logs stay whose group has no retention of its own (PutRetentionPolicy); keep: forever.",
        None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    stream_cap_mib: int = setting(
        whole(1, 2**20, "MiB"), "Longest log of an attempt; of a longer one the head and the tail are kept.", 64
    )
    pack_below_bytes: int = setting(
        whole(0, 2**24, "bytes"), "Logs of finished attempts that are shorter than this are packed together.", 65_536
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one server, each checked."""

    server: ServerSettings = field(default_factory=ServerSettings)
    local: LocalSettings = field(default_factory=LocalSettings)
    oversize: Literal["wait", "run-alone"] = setting(
        one_of("wait", "run-alone"),
        "A job that asks for more vCPU, memory or disk than this machine could ever give: waits, or runs alone on it.",
        "run-alone",
    )
    process: ProcessSettings = field(default_factory=ProcessSettings)
    docker: DockerSettings = field(default_factory=DockerSettings)
    aws: AwsSettings = field(default_factory=AwsSettings)
    volumes: VolumeSettings = field(default_factory=VolumeSettings)
    prices: PriceSettings = field(default_factory=PriceSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    logs: LogSettings = field(default_factory=LogSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One setting as it was declared."""

    #: `section.key`, or `key` for one without a section
    name: str
    kind: Kind[Any]
    doc: str

    @property
    def variable(self) -> str:
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """The server's own go by their key alone: --port."""
        return "--" + self.name.removeprefix("server.").replace(".", "-").replace("_", "-")


def _declared() -> Iterator[Declared]:
    sections = Settings.__dataclass_fields__
    for name, outer in sections.items():
        if "kind" in outer.metadata:
            yield Declared(name=name, kind=outer.metadata["kind"], doc=outer.metadata["doc"])
            continue
        for inner in fields(outer.default_factory):
            yield Declared(name=f"{name}.{inner.name}", kind=inner.metadata["kind"], doc=inner.metadata["doc"])


#: Every setting by its name, in the order of declaration.
SETTINGS: Mapping[str, Declared] = {declared.name: declared for declared in _declared()}
