"""The settings of a server: what there is, what each may be, and where a value came from when it is wrong.

A setting is named `section.key`. Its value is the flag's, else the variable's (`LONGSHORE_SECTION_KEY`), else the one
in `longshore.toml` (`[section]`, `key = ...`), else the default. Every value that is given is checked, also one that
another overrides. Knows nothing of what the settings are for: `app` hands them on.
"""

import difflib
import ipaddress
import os
import pwd
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

from longshore.domain.errors import LongshoreError

T = TypeVar("T")

PREFIX = "LONGSHORE_"
#: The file that is read from the working folder when no other is named.
CONFIG_FILE = "longshore.toml"
CONFIG_VARIABLE = "LONGSHORE_CONFIG"
#: Variables with our prefix that are no settings of a server: the command line's, the mark of a job's processes (a
#: server may be a job), and what tests set.
OTHER_VARIABLES = frozenset(
    {CONFIG_VARIABLE, "LONGSHORE_URL", "LONGSHORE_ATTEMPT_ID", "LONGSHORE_CRASH_POINT", "LONGSHORE_REQUIRE_PARTS"}
)
TEST_PREFIX = "LONGSHORE_TEST_"


class SettingsError(LongshoreError):
    """A setting is wrong. The message is one line: where it was given, what was given, what would be right."""


# --- what a value may be --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """What values a setting may have."""

    #: completes the sentence "X is not ..."
    expects: str
    #: the value of what was given as text or as a TOML value, or ValueError; relative paths start at the folder
    parse: Callable[[object, Path], T]


def whole(low: int, high: int, unit: str = "") -> Kind[int]:
    """A whole number within the bounds, both included."""

    def parse(raw: object, _: Path) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int | str):
            raise ValueError
        if isinstance(raw, str) and not re.fullmatch("[0-9]{1,18}", raw):
            raise ValueError
        if not low <= int(raw) <= high:
            raise ValueError
        return int(raw)

    return Kind(expects=f"a whole number {f'of {unit} ' if unit else ''}from {low} to {high}", parse=parse)


def one_of(*words: str) -> Kind[Any]:
    """One of the words, as they are written."""

    def parse(raw: object, _: Path) -> str:
        if raw not in words:
            raise ValueError
        return cast(str, raw)

    return Kind(expects=f"one of {', '.join(words)}", parse=parse)


def matching(pattern: str, expects: str) -> Kind[str]:
    """Text that matches the pattern whole."""

    def parse(raw: object, _: Path) -> str:
        if not isinstance(raw, str) or not re.fullmatch(pattern, raw):
            raise ValueError
        return raw

    return Kind(expects=expects, parse=parse)


def optional(kind: Kind[T], word: str) -> Kind[T | None]:
    """The kind, or the word that stands for None."""
    return Kind(
        expects=f"{kind.expects}, or {word}",
        parse=lambda raw, folder: None if raw == word else kind.parse(raw, folder),
    )


def many(kind: Kind[T], expects: str) -> Kind[tuple[T, ...]]:
    """A TOML array of the kind, or the same separated by commas; nothing twice."""

    def parse(raw: object, folder: Path) -> tuple[T, ...]:
        if isinstance(raw, str):
            raw = [part.strip() for part in raw.split(",")] if raw.strip() else []
        if not isinstance(raw, list):
            raise ValueError
        values = tuple(kind.parse(item, folder) for item in cast(list[object], raw))
        if len(set(values)) != len(values):
            raise ValueError
        return values

    return Kind(expects=expects, parse=parse)


def _parse_path(raw: object, folder: Path) -> Path:
    if not isinstance(raw, str | Path) or not str(raw) or "\0" in str(raw):
        raise ValueError
    try:
        return Path(os.path.normpath(folder / Path(raw).expanduser()))
    except RuntimeError as unknown_home:
        raise ValueError from unknown_home


def _parse_address(raw: object, _: Path) -> str:
    if raw == "localhost":
        return "localhost"
    if not isinstance(raw, str):
        raise ValueError
    return str(ipaddress.ip_address(raw))


def _parse_host_name(raw: object, _: Path) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,253}[A-Za-z0-9_])?", raw):
        raise ValueError
    return raw.lower()


def _parse_user(raw: object, _: Path) -> str:
    if not isinstance(raw, str):
        raise ValueError
    try:
        return pwd.getpwnam(raw).pw_name
    except KeyError as unknown:
        raise ValueError from unknown


def _parse_file_systems(raw: object, folder: Path) -> Mapping[str, Path]:
    if isinstance(raw, str):
        raw = dict(part.strip().split("=", 1) for part in raw.split(",")) if raw.strip() else {}
    if not isinstance(raw, dict):
        raise ValueError
    given = cast(dict[str, object], raw)
    if not all(re.fullmatch("fs(ap)?-[0-9a-f]{1,40}", name) for name in given):
        raise ValueError
    return {name: _parse_path(path, folder) for name, path in given.items()}


def _parse_endpoint(raw: object, _: Path) -> str:
    if raw == "aws":
        return "aws"
    if not isinstance(raw, str) or not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", raw):
        raise ValueError
    return raw


PATH = Kind(expects="a path", parse=_parse_path)
ADDRESS = Kind(
    expects="an address of this machine, or localhost; other than loopback only with server.auth sigv4",
    parse=_parse_address,
)
HOST_NAME = Kind(expects="the name of a host, without port", parse=_parse_host_name)
USER = Kind(expects="the name of a user of this machine", parse=_parse_user)
ENDPOINT = Kind(expects="a URL that starts with http:// or https://, or aws", parse=_parse_endpoint)
FILE_SYSTEMS = Kind(expects="a table of folders by file system (fs-1234 = /folder)", parse=_parse_file_systems)
GPU_NAME = matching("[A-Za-z0-9_.:-]{1,64}", "the name of a GPU")


# --- what there is --------------------------------------------------------------------------------


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
class LimitSettings:
    array_size_max: int = setting(whole(2, 100_000), "Most children an array job may have. AWS Batch: 10000.", 10_000)
    lost_host_retries: int = setting(
        whole(0, 1000), "Attempts lost with their host that are tried again without spending the job's own retries.", 5
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
        "A job that asks for more vCPU or memory than this machine could ever give: waits, or runs alone on all of it.",
        "run-alone",
    )
    process: ProcessSettings = field(default_factory=ProcessSettings)
    docker: DockerSettings = field(default_factory=DockerSettings)
    aws: AwsSettings = field(default_factory=AwsSettings)
    volumes: VolumeSettings = field(default_factory=VolumeSettings)
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
_SECTIONS = frozenset(name.partition(".")[0] for name in SETTINGS if "." in name)
_BY_VARIABLE = {declared.variable: declared for declared in SETTINGS.values()}


# --- reading them ---------------------------------------------------------------------------------


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    config_file: Path | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings that the sources give together.

    `flags` are by setting name, None for one that was not given. The file is `config_file`, else the one that
    LONGSHORE_CONFIG names, else `longshore.toml` in `folder` (the working folder) if there is one. Raises
    SettingsError.
    """
    folder = (folder or Path.cwd()).absolute()
    values: dict[str, Any] = {}
    named = config_file or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    file = folder / (named or CONFIG_FILE)
    if named or file.exists():
        for declared, raw in _read_file(file):
            values[declared.name] = _parse(declared, raw, f"{file}: {declared.name}", file.parent)
    for declared, raw in _read_variables(environ):
        values[declared.name] = _parse(declared, raw, declared.variable, folder)
    for name, raw in (flags or {}).items():
        if raw is not None:
            values[name] = _parse(SETTINGS[name], raw, SETTINGS[name].flag, folder)
    settings = _assemble(values)
    if settings.server.auth == "open" and not settings.server.is_loopback:
        raise SettingsError(
            f"server.host: {settings.server.host} is not a loopback address; others are served only with"
            " --auth sigv4 and a key made by `longshore keys create`"
        )
    return settings


def _assemble(values: Mapping[str, Any]) -> Settings:
    defaults = Settings()
    changes: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for section in _SECTIONS:
        keys = {name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{section}.")}
        changes[section] = replace(getattr(defaults, section), **keys)
    return replace(defaults, **changes)


def _read_file(file: Path) -> Iterator[tuple[Declared, object]]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsError(f"{file}: cannot be read: {problem.strerror}") from problem
    except ValueError as problem:  # TOMLDecodeError and UnicodeDecodeError
        raise SettingsError(f"{file}: is not TOML: {_one_line(str(problem))}") from problem
    given: dict[str, object] = {}
    for key, value in tables.items():
        if key in _SECTIONS and isinstance(value, dict):
            given |= {f"{key}.{inner}": item for inner, item in cast(dict[str, object], value).items()}
        else:
            given[key] = value
    for name, value in given.items():
        if name not in SETTINGS:
            raise SettingsError(f"{file}: there is no setting {_one_line(name)}{_suggest(name, SETTINGS)}")
        yield SETTINGS[name], value


def _read_variables(environ: Mapping[str, str]) -> Iterator[tuple[Declared, object]]:
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES or variable.startswith(TEST_PREFIX):
            continue
        if variable not in _BY_VARIABLE:
            raise SettingsError(f"{_one_line(variable)}: there is no such setting{_suggest(variable, _BY_VARIABLE)}")
        yield _BY_VARIABLE[variable], value


def _parse(declared: Declared, raw: object, source: str, folder: Path) -> object:
    try:
        return declared.kind.parse(raw, folder)
    except ValueError as problem:
        raise SettingsError(f"{source}: {_one_line(repr(raw))} is not {declared.kind.expects}") from problem


def _suggest(name: str, known: Mapping[str, object]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _one_line(text: str) -> str:
    """The text without line breaks and escapes, cut where it gets long."""
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= 120 else f"{clean[:117]}..."
