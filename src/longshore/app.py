"""The composition root: the only place that knows all rooms and joins them into a server."""

import asyncio
import gc
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
import uvloop

from longshore.api.aws.batch.handlers import build_handlers as build_batch_handlers
from longshore.api.aws.fronts import build_fronts
from longshore.api.aws.logs.handlers import logs_handlers
from longshore.api.credentials import CREDENTIALS_PATH, credentials_app
from longshore.api.http import FrontDoor
from longshore.api.limits import DoorSettings, Limits
from longshore.api.native.app import native_app
from longshore.api.server import build_server
from longshore.config import Settings
from longshore.control.inbox import Inbox
from longshore.control.job_roles import JobRoles, LendingSettings
from longshore.control.lane import Lane
from longshore.control.leader import ControlSettings, Leader
from longshore.control.ledger import Host
from longshore.control.provisions import Provider
from longshore.data_folder import DataFolder, open_data_folder, read_or_write_key
from longshore.domain.errors import LongshoreError
from longshore.domain.ids import AttemptId, HostId
from longshore.domain.resources import Resources
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.driver import DockerDriver
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.driver import ProcessDriver
from longshore.logs.settings import LogSettings
from longshore.logs.store import LogStore
from longshore.neighbours.config import NeighbourConfig
from longshore.ports.clock import Clock
from longshore.ports.engine import EngineDriver
from longshore.ports.neighbours import Neighbours
from longshore.service.services import build_services
from longshore.store.sqlite import SqliteStore
from longshore.system_clock import SystemClock
from longshore.telemetry.logging import configure_logging
from longshore.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

#: This machine, the first host.
LOCAL_HOST = HostId("local")
#: Source: Linux, ip(7); Python has no name for it.
_IP_FREEBIND = 15


class CannotListen(LongshoreError):
    """The address can't be listened on."""


def serve(settings: Settings) -> int:
    """Run a server until SIGTERM or SIGINT; jobs go on without it. Returns the exit status.

    Raises:
        LongshoreError: it can't start; one line that says why. Nothing was touched.
    """
    configure_logging(format=settings.server.log_format, level=settings.server.log_level)
    sockets = [_listen(settings)]
    path = settings.server.unix_socket
    if path is not None:
        _refuse_taken_path(path)
    folder = open_data_folder(settings.server.data)
    if path is not None:
        sockets.append(_listen_on_path(path))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, folder, sockets))
    return 0


def _listen(settings: Settings) -> socket.socket:
    """The socket of the address, bound."""
    server = settings.server
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((server.host, server.port))
        listener.listen()  # only this makes sure of the port: another server may be starting, too
    except OSError as problem:
        listener.close()
        raise CannotListen(f"cannot listen on {server.host}:{server.port}: {problem.strerror}") from problem
    return listener


def _refuse_taken_path(path: Path) -> None:
    """A socket that another server answers at must stay that server's; what a dead one left is taken over.

    Raises:
        CannotListen: something is there and is no such leftover.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            if path.is_socket():
                return
        except OSError as problem:
            raise CannotListen(f"cannot listen on {path}: {problem.strerror or problem}") from problem
    raise CannotListen(f"cannot listen on {path}: Address already in use")


def _listen_on_path(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        if path.is_socket():
            path.unlink()
        listener.bind(str(path))
    except OSError as problem:
        listener.close()
        raise CannotListen(f"cannot listen on {path}: {problem.strerror}") from problem
    finally:
        os.umask(before)
    return listener


def _listen_for_containers(address: str, port: int) -> socket.socket:
    """The socket of an address that may come later: that of a Docker network which is not there yet."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        listener.bind((address, port))
        listener.listen()
    except OSError as problem:
        listener.close()
        raise CannotListen(f"cannot listen on {address}:{port}: {problem.strerror}") from problem
    return listener


def _build_neighbours(settings: Settings, clock: Clock) -> Neighbours | None:
    """Who knows secrets and roles, where the settings say that there is somebody."""
    aws = settings.aws
    config = NeighbourConfig(
        secrets_endpoint=aws.secrets_endpoint or aws.endpoint,
        ssm_endpoint=aws.ssm_endpoint or aws.endpoint,
        sts_endpoint=aws.sts_endpoint or aws.endpoint,
    )
    if config == NeighbourConfig():
        return None
    from longshore.neighbours.aws import AwsNeighbours  # botocore takes time and memory that most servers can save

    return AwsNeighbours(config, clock)


def _credentials_urls(settings: Settings, listener: socket.socket) -> Mapping[str, str]:
    """By engine: where its jobs reach us. SDKs take credentials from these addresses only."""
    host, port = listener.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    urls = {"process": f"http://{host}:{port}{CREDENTIALS_PATH}"}
    if settings.docker.network == "host":
        urls["docker"] = urls["process"]
    elif settings.docker.credentials_address is not None:
        urls["docker"] = f"http://{settings.docker.credentials_address}:{port}{CREDENTIALS_PATH}"
    return urls


def _unserved(neighbours: Neighbours | None, urls: Mapping[str, str], engine: str) -> Mapping[str, str]:
    """What of roles has no effect on the engine, and why."""
    if neighbours is None or not neighbours.lends_roles:
        why = "the settings aws.* name no STS endpoint, so that no role is assumed"
        return {"job_role_arn": why, "execution_role_arn": why}
    if engine not in urls:
        return {"job_role_arn": "credentials reach no container: the setting docker.credentials_address is none"}
    return {}


def _build_drivers(
    settings: Settings, folder: DataFolder, ignored: Callable[[str], Mapping[str, str]]
) -> Mapping[str, EngineDriver]:
    process = ProcessConfig(
        data_dir=folder.path,
        user=settings.process.user,
        cgroup=settings.process.cgroup,
        ignored=ignored("process"),
    )
    docker = DockerConfig(
        installation_id=folder.installation_id,
        socket=f"unix://{settings.docker.socket}",
        privileged=settings.docker.privileged,
        host_paths=(*settings.docker.host_paths, *settings.volumes.efs.values()),
        network=settings.docker.network,
        log_mib=settings.logs.stream_cap_mib,
        ignored=ignored("docker"),
    )
    return {"process": ProcessDriver(process), "docker": DockerDriver(docker)}


def _local_host(settings: Settings) -> Host:
    local = settings.local
    total = Resources(vcpu_milli=local.vcpus * 1000, memory_mib=local.memory_mib, gpus=len(local.gpus))
    return Host(id=LOCAL_HOST, total=total, gpu_names=local.gpus)


async def _run(settings: Settings, folder: DataFolder, sockets: list[socket.socket]) -> None:
    store = SqliteStore(folder.path / "longshore.sqlite3")
    logs = LogStore(
        folder.path / "logs",
        LogSettings(
            stream_cap_bytes=settings.logs.stream_cap_mib * 2**20,
            pack_limit_bytes=settings.logs.pack_below_bytes,
            retention_days=settings.retention.log_days,
        ),
    )
    try:
        await store.open()
        await logs.open()
        await _serve(settings, folder, sockets, store, logs)
    finally:
        await logs.close()
        await store.close()


async def _serve(
    settings: Settings, folder: DataFolder, sockets: list[socket.socket], store: SqliteStore, logs: LogStore
) -> None:
    clock, inbox = SystemClock(), Inbox()
    neighbours = _build_neighbours(settings, clock)
    urls = _credentials_urls(settings, sockets[0])
    drivers = _build_drivers(settings, folder, partial(_unserved, neighbours, urls))
    roles = None
    if neighbours is not None and neighbours.lends_roles:
        lending = LendingSettings(key=read_or_write_key(folder, "job-roles.key"), urls=urls)
        roles = JobRoles(neighbours, lending, clock, lambda attempt_id: leader.find_task(attempt_id))
    days = settings.retention.history_days
    leader = Leader(
        store=store,
        drivers=drivers,
        logs=logs,
        clock=clock,
        inbox=inbox,
        hosts=[_local_host(settings)],
        settings=ControlSettings(
            oversize=settings.oversize,
            free_losses=settings.limits.lost_host_retries,
            stop_grace_seconds=settings.process.grace_seconds,
            keep_history=None if days is None else timedelta(days=days),
        ),
        new_attempt_id=_new_attempt_id,
        provider=Provider(
            neighbours=neighbours,
            roles=roles,
            file_systems=settings.volumes.efs,
            clock=clock,
            patience_seconds=settings.aws.patience_seconds,
        ),
    )
    leader.telemetry = metrics = Metrics(store, leader, clock)
    services = build_services(
        store,
        clock,
        inbox,
        engines=drivers.keys(),
        resolve_engine=partial(_choose_engine, settings.server.engine, leader.lanes["docker"]),
        array_size_max=settings.limits.array_size_max,
    )
    limits = Limits(body_bytes=settings.limits.body_bytes)
    door = FrontDoor(
        DoorSettings(
            account_id=settings.server.account_id,
            region=settings.server.region,
            host_names=frozenset(settings.server.host_names),
            limits=limits,
        ),
        fronts=build_fronts(batch=build_batch_handlers(services), logs=logs_handlers(logs)),
        native=native_app(store=store, overview=leader, clock=clock, logs=logs, metrics=metrics),
        credentials=None if roles is None else credentials_app(roles),
    )
    server = build_server(door, limits)
    servers = [server]
    for_containers: list[socket.socket] = []
    if roles is not None and settings.docker.network != "host" and settings.docker.credentials_address is not None:
        for_containers.append(_listen_for_containers(settings.docker.credentials_address, sockets[0].getsockname()[1]))
        servers.append(build_server(credentials_app(roles), limits))

    def stop() -> None:
        for each in servers:
            each.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    leading = asyncio.create_task(leader.run(), name="lead")
    leading.add_done_callback(lambda _: stop())
    # What starting made stays: without this each full collection goes through it all and halts everybody for 50 ms.
    gc.freeze()
    try:
        host, port = sockets[0].getsockname()[:2]
        print(f"longshore server listens on http://{host}:{port}", flush=True)  # noqa: T201 - scripts read this line
        await asyncio.gather(
            server.serve(sockets=sockets), *(each.serve(sockets=for_containers) for each in servers[1:])
        )
    finally:
        leading.cancel()
        await asyncio.wait([leading])
    if not leading.cancelled():
        leading.result()


def _new_attempt_id() -> AttemptId:
    """48 bits of time and 80 of chance: ids made together lie together in every index."""
    return AttemptId(f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}")


async def _choose_engine(setting: str, docker: Lane) -> str:
    """The engine of an environment that names none: the setting's; `auto` means Docker where it answers now."""
    if setting != "auto":
        return setting
    await docker.check_health_once()
    return "process" if docker.problem else "docker"
