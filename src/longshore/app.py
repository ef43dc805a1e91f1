"""The composition root: the only place that knows all rooms and joins them into a server."""

import asyncio
import gc
import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvloop

from longshore.api.aws.batch.handlers import build_handlers as build_batch_handlers
from longshore.api.aws.fronts import build_fronts
from longshore.api.aws.logs.handlers import logs_handlers
from longshore.api.aws.sts.handlers import build_handlers as build_sts_handlers
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
from longshore.control.staging import TrainingSite
from longshore.data_folder import STORE_FILE, DataFolder, open_data_folder
from longshore.domain.errors import LongshoreError
from longshore.domain.ids import AttemptId, HostId
from longshore.domain.prices import Prices
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
from longshore.ports.objects import Objects
from longshore.sealing import FileSealer
from longshore.service.credentials import CredentialDesk
from longshore.service.quotas import Quotas
from longshore.service.services import build_services
from longshore.store.sqlite import SqliteStore
from longshore.system_clock import SystemClock
from longshore.telemetry.logging import configure_logging
from longshore.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from longshore.neighbours.aws import AwsNeighbours

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
        if server.is_loopback:
            listener.listen()  # only this makes sure of the port: another server may be starting, too
    except OSError as problem:
        listener.close()
        raise CannotListen(f"cannot listen on {server.host}:{server.port}: {problem.strerror}") from problem
    return listener


async def _guard_door(settings: Settings, credentials: CredentialDesk | None, listener: socket.socket) -> None:
    """Returns when the listener may be connected to: at any address but loopback's, there is a key to come in with.

    Raises:
        CannotListen: there is none, or the address is taken.
    """
    server = settings.server
    has_key = credentials is not None and await credentials.has_usable_key()
    if not server.is_loopback and not has_key:
        raise CannotListen(
            f"cannot listen on {server.host}: it is not a loopback address, and there is no enabled key;"
            " make one with `longshore keys create`"
        )
    if server.auth == "sigv4" and not has_key:
        _log.warning("no_enabled_key", remedy="longshore keys create")
    try:
        listener.listen()
    except OSError as problem:
        raise CannotListen(f"cannot listen on {server.host}:{server.port}: {problem.strerror}") from problem


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


def _listen_ahead(address: str, port: int) -> socket.socket:
    """The socket of an address that may come later: that of a Docker network which is not there yet."""
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        listener.bind((address, port))
        listener.listen()
    except OSError as problem:
        listener.close()
        raise CannotListen(f"cannot listen on {address}:{port}: {problem.strerror}") from problem
    return listener


def _build_neighbours(settings: Settings, clock: Clock) -> "AwsNeighbours | None":
    """Who knows secrets and roles and keeps objects, where the settings say that there is somebody."""
    aws = settings.aws
    config = NeighbourConfig(
        secrets_endpoint=aws.secrets_endpoint or aws.endpoint,
        ssm_endpoint=aws.ssm_endpoint or aws.endpoint,
        sts_endpoint=aws.sts_endpoint or aws.endpoint,
        s3_endpoint=aws.s3_endpoint or aws.endpoint,
    )
    if config == NeighbourConfig():
        return None
    from longshore.neighbours.aws import AwsNeighbours  # botocore takes time and memory that most servers can save

    return AwsNeighbours(config, clock)


def _build_objects(neighbours: "AwsNeighbours | None") -> Objects | None:
    if neighbours is None:
        return None
    from longshore.neighbours.objects import AwsObjects

    return AwsObjects(neighbours)


def _open_paths(settings: Settings) -> tuple[Path, ...]:
    """Folders of this machine that jobs may have, each with all that is in it."""
    return (*settings.docker.host_paths, *settings.volumes.efs.values())


def _credentials_addresses(settings: Settings, host: str) -> Mapping[str, str]:
    """By engine: the address at which its jobs reach us. SDKs take credentials from these only."""
    address = ip_address(host)
    loopback = host if address.is_loopback else "127.0.0.1" if address.version == 4 else "::1"
    if settings.docker.network == "host":
        return {"process": loopback, "docker": loopback}
    containers = settings.docker.credentials_address
    return {"process": loopback, **({} if containers is None else {"docker": containers})}


def _listen_for_jobs(addresses: Mapping[str, str], host: str, port: int) -> list[socket.socket]:
    """Sockets of the addresses that the server's own does not cover."""
    if ip_address(host).is_unspecified:
        return []
    return [_listen_ahead(address, port) for address in dict.fromkeys(addresses.values()) if address != host]


def _credentials_url(address: str, port: int) -> str:
    return f"http://{f'[{address}]' if ':' in address else address}:{port}{CREDENTIALS_PATH}"


def _unserved(neighbours: Neighbours | None, addresses: Mapping[str, str], engine: str) -> Mapping[str, str]:
    """What of roles has no effect on the engine, and why."""
    if neighbours is None or not neighbours.lends_roles:
        why = "the settings aws.* name no STS endpoint, so that no role is assumed"
        return {"job_role_arn": why, "execution_role_arn": why}
    if engine not in addresses:
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
        host_paths=_open_paths(settings),
        network=settings.docker.network,
        log_mib=settings.logs.stream_cap_mib,
        ignored=ignored("docker"),
    )
    return {"process": ProcessDriver(process), "docker": DockerDriver(docker)}


def _local_host(settings: Settings, folder: Path) -> Host:
    """This machine; `folder` is on the disk that attempts are given parts of."""
    local = settings.local
    scratch_mib = local.scratch_mib
    if (
        scratch_mib is None
    ):  # a tenth is left to what nobody asks for: logs, the store, files beside the scratch folders
        scratch_mib = shutil.disk_usage(folder).free // 2**20 * 9 // 10
    total = Resources(
        vcpu_milli=local.vcpus * 1000,
        memory_mib=local.memory_mib,
        gpus=len(local.gpus),
        scratch_mib=scratch_mib,
    )
    return Host(id=LOCAL_HOST, total=total, gpu_names=local.gpus)


async def _run(settings: Settings, folder: DataFolder, sockets: list[socket.socket]) -> None:
    store = SqliteStore(folder.path / STORE_FILE)
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
    credentials = verifier = None
    if settings.server.auth == "sigv4":
        from longshore.api.aws.authentication import Authenticator  # botocore: an open server starts faster without it

        sealer = FileSealer(folder.path)
        credentials = CredentialDesk(store, sealer, clock, account_id=settings.server.account_id)
        verifier = Authenticator(credentials, clock)
    await _guard_door(settings, credentials, sockets[0])
    neighbours = _build_neighbours(settings, clock)
    objects = _build_objects(neighbours)
    host, port = sockets[0].getsockname()[:2]
    addresses = _credentials_addresses(settings, host)
    drivers = _build_drivers(settings, folder, partial(_unserved, neighbours, addresses))
    roles = None
    if neighbours is not None and neighbours.lends_roles:
        urls = {engine: _credentials_url(address, port) for engine, address in addresses.items()}
        lending = LendingSettings(key=FileSealer(folder.path).derive("job-roles"), urls=urls)
        roles = JobRoles(neighbours, lending, clock, lambda attempt_id: leader.find_task(attempt_id))
    days = settings.retention.history_days
    local_host = _local_host(settings, folder.path)
    leader = Leader(
        store=store,
        drivers=drivers,
        logs=logs,
        clock=clock,
        inbox=inbox,
        hosts=[local_host],
        settings=ControlSettings(
            oversize=settings.oversize,
            free_losses=settings.limits.lost_host_retries,
            stop_grace_seconds=settings.process.grace_seconds,
            age_bound_seconds=settings.limits.age_bound_seconds,
            keep_history=None if days is None else timedelta(days=days),
        ),
        new_attempt_id=_new_attempt_id,
        provider=Provider(
            neighbours=neighbours,
            roles=roles,
            file_systems=settings.volumes.efs,
            trainings=TrainingSite(
                folder.path / "training",
                objects=objects,
                file_systems=settings.volumes.efs,
                open_paths=_open_paths(settings),
            ),
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
        quotas=Quotas(
            array_size=settings.limits.array_size_max,
            compute_environments=settings.limits.environments_max,
            job_queues=settings.limits.queues_max,
        ),
        largest_host=local_host.total,
    )
    batch = build_batch_handlers(services)
    limits = Limits(body_bytes=settings.limits.body_bytes)
    door = FrontDoor(
        DoorSettings(
            account_id=settings.server.account_id,
            region=settings.server.region,
            host_names=frozenset(settings.server.host_names),
            limits=limits,
        ),
        fronts=build_fronts(batch=batch, logs=logs_handlers(logs), sts=build_sts_handlers(credentials)),
        native=native_app(
            store=store,
            overview=leader,
            clock=clock,
            logs=logs,
            metrics=metrics,
            prices=Prices(currency=settings.prices.currency, environments=settings.prices.environments),
            submissions=services.submissions,
            holds=services.holds,
            submit_job=batch["SubmitJob"],
        ),
        verifier=verifier,
        job_credentials=None if roles is None else credentials_app(roles),
    )
    server = build_server(door, limits)
    servers = [server]
    for_jobs = _listen_for_jobs(addresses, host, port) if roles is not None else []
    if roles is not None and for_jobs:
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
        print(f"longshore server listens on http://{host}:{port}", flush=True)  # noqa: T201 - scripts read this line
        await asyncio.gather(server.serve(sockets=sockets), *(each.serve(sockets=for_jobs) for each in servers[1:]))
    finally:
        leading.cancel()
        await asyncio.wait([leading])
        if objects is not None:
            await objects.close()
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
