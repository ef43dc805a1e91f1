"""Talks to a Docker-compatible engine: one method per call that the driver makes, each with a time limit.

aiodocker makes the connection (Unix socket, TCP with TLS, SSH). Its own methods decode output as text, drop what a
repeated read needs, and take no time limits in part; so the calls are made here, on its session.
"""

import asyncio
import base64
import io
import json
import tarfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import aiodocker
import aiohttp
import msgspec

from longshore.engines.docker.parse import EngineInfo, EngineVersion, Event, Image, Inspected, Listed, parse_time
from longshore.ports.engine import EngineUnavailable, RegistryLogin

T = TypeVar("T")
Params = Mapping[str, str]

#: how far the time of an event may be before that of the thing itself
_EVENT_LEEWAY_SECONDS = 1.0
_NO_LIMIT = aiohttp.ClientTimeout(total=None)


class CallRefused(Exception):
    """The engine answered a call with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        #: HTTP status; 0 for an error in the middle of an answer
        self.status = status
        self.message = message


class EngineUnreachable(EngineUnavailable):
    """Nobody took the call: it was not sent."""


class _ErrorBody(msgspec.Struct):
    message: str = ""


class _Created(msgspec.Struct, rename="pascal"):
    id: str


class _Volume(msgspec.Struct, rename="pascal"):
    name: str


class _Volumes(msgspec.Struct, rename="pascal"):
    volumes: list[_Volume] | None = None


class _Progress(msgspec.Struct):
    error: str = ""


class Connection:
    """A connection to one engine. Every call may raise EngineUnavailable, and CallRefused when the engine says no."""

    def __init__(self, socket: str, *, call_seconds: float, launch_seconds: float) -> None:
        self.socket = socket
        self._call_seconds = call_seconds
        self._launch_seconds = launch_seconds
        self._docker: aiodocker.Docker | None = None
        self._version: EngineVersion | None = None

    async def open(self) -> None:
        """Ready for calls; nothing is sent yet."""
        self._docker = aiodocker.Docker(self.socket)

    async def close(self) -> None:
        """Calls in flight end."""
        if self._docker is not None:
            await self._docker.close()
            self._docker = None

    async def version(self, *, seconds: float | None = None) -> EngineVersion:
        """What answers there now; later calls speak its version of the API."""
        body = await self._call("GET", "version", versioned=False, seconds=seconds)
        self._version = _decode(body, EngineVersion)
        return self._version

    async def ping(self) -> None:
        """Returns when the engine answers."""
        await self._call("GET", "_ping", versioned=False)

    async def info(self) -> EngineInfo:
        return _decode(await self._call("GET", "info"), EngineInfo)

    async def create(self, name: str, body: Mapping[str, object]) -> str:
        """The new container's id."""
        answer = await self._call(
            "POST", "containers/create", {"name": name}, body=msgspec.json.encode(body), seconds=self._launch_seconds
        )
        return _decode(answer, _Created).id

    async def start(self, container: str) -> None:
        """Quiet when it runs or ran already."""
        await self._call("POST", f"containers/{container}/start", seconds=self._launch_seconds)

    async def kill(self, container: str, signal: str) -> None:
        await self._call("POST", f"containers/{container}/kill", {"signal": signal})

    async def remove(self, container: str) -> None:
        """Ends it if it runs, and takes its anonymous volumes along."""
        await self._call("DELETE", f"containers/{container}", {"force": "1", "v": "1"}, seconds=self._launch_seconds)

    async def inspect(self, container: str) -> Inspected | None:
        """None when there is no such container."""
        try:
            return _decode(await self._call("GET", f"containers/{container}/json"), Inspected)
        except CallRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    async def list(self, label: str) -> list[Listed]:
        """All containers, in any state, with `label` (`name=value`)."""
        params = {"all": "1", "filters": json.dumps({"label": [label]})}
        return _decode(await self._call("GET", "containers/json", params), list[Listed])

    async def image_user(self, image: str) -> str:
        """As whom containers of an image that is there run; empty: as root."""
        found = _decode(await self._call("GET", f"images/{image}/json"), Image)
        return found.config.user if found.config is not None else ""

    async def import_image(self, image: str, archive: bytes) -> None:
        """`image` is local, with the files of `archive` (tar) and nothing else."""
        repository, _, tag = image.partition(":")
        params = {"fromSrc": "-", "repo": repository, "tag": tag}
        _check_progress(await self._call("POST", "images/create", params, body=archive, seconds=self._launch_seconds))

    async def put_folders(self, container: str, names: Sequence[str]) -> None:
        """Folders at the container's root, or mounted there, are open to every user."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name in names:
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o777
                tar.addfile(folder)
        await self._call("PUT", f"containers/{container}/archive", {"path": "/"}, body=archive.getvalue())

    async def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Quiet when there is one of that name."""
        body = {"Name": name, "Driver": "bridge", "CheckDuplicate": True, "Labels": labels}
        try:
            await self._call("POST", "networks/create", body=msgspec.json.encode(body))
        except CallRefused as refusal:
            if refusal.status != 409:
                raise

    async def remove_network(self, name: str) -> None:
        await self._call("DELETE", f"networks/{name}")

    async def volumes(self, label: str) -> Sequence[str]:
        """Names of all volumes with `label` (`name=value`)."""
        answer = await self._call("GET", "volumes", {"filters": json.dumps({"label": [label]})})
        return [volume.name for volume in _decode(answer, _Volumes).volumes or ()]

    async def remove_volume(self, name: str) -> None:
        await self._call("DELETE", f"volumes/{name}")

    async def stats(self, container: str) -> bytes:
        """One sample of what it uses."""
        return await self._call("GET", f"containers/{container}/stats", {"stream": "0", "one-shot": "1"})

    async def pull(self, image: str, login: RegistryLogin | None = None) -> None:
        """`image` is local. Raises CallRefused with the engine's words when it cannot be had."""
        headers: dict[str, str] = {}
        if login is not None:
            document = json.dumps({"username": login.username, "password": login.password})
            headers["X-Registry-Auth"] = base64.urlsafe_b64encode(document.encode()).decode()
        params = {"fromImage": image} if _has_tag(image) else {"fromImage": image, "tag": "latest"}
        rest = b""
        seconds = self._launch_seconds
        async for data in self._stream("POST", "images/create", params, stall_seconds=seconds, headers=headers):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _check_progress(line)

    async def logs(self, container: str, *, since: int) -> AsyncGenerator[bytes]:
        """Its output so far, in the engine's frames, each with a time, from `since` (seconds since the epoch) on."""
        params = {"stdout": "1", "stderr": "1", "timestamps": "1", "since": str(since)}
        stream = self._stream("GET", f"containers/{container}/logs", params, stall_seconds=self._call_seconds)
        async for data in stream:
            yield data

    async def events(self, *, label: str, since: float) -> AsyncGenerator[Event | None]:
        """Starts and ends of containers with `label`, from `since` (seconds since the epoch) on, without end.

        The first is None, once the engine listens.
        """
        filters = {"type": ["container"], "event": ["start", "die"], "label": [label]}
        params = {"since": f"{since:.6f}", "filters": json.dumps(filters)}
        rest = b""
        async for data in self._stream("GET", "events", params, stall_seconds=None):
            if not data:
                yield None
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.strip():
                    yield _decode(line, Event)

    async def remembers(self, container: str, event: str, *, since: datetime) -> bool:
        """Whether the engine remembers such an event of the container.

        It keeps the last few hundred in memory, so it remembers only what it saw itself since it was started.
        """
        filters = {"type": ["container"], "event": [event], "container": [container]}
        until = parse_time((await self.info()).system_time) or datetime.now(UTC)
        params = {"filters": json.dumps(filters), "until": f"{until.timestamp():.6f}"}
        params["since"] = f"{since.timestamp() - _EVENT_LEEWAY_SECONDS:.6f}"
        return bool((await self._call("GET", "events", params)).strip())

    async def _url(self, path: str, *, versioned: bool) -> str:
        assert self._docker is not None, "open() comes first"
        if not versioned:
            return f"{self._docker.docker_host}/{path}"
        version = self._version or await self.version()
        return f"{self._docker.docker_host}/v{version.api_version}/{path}"

    async def _call(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        *,
        body: bytes | None = None,
        seconds: float | None = None,
        versioned: bool = True,
    ) -> bytes:
        """The body of the answer."""
        url = await self._url(path, versioned=versioned)
        assert self._docker is not None
        headers = {"Content-Type": "application/json"}
        request = self._docker.session.request(
            method, url, params=params, data=body, headers=headers, timeout=_NO_LIMIT
        )
        limit = asyncio.timeout(seconds or self._call_seconds)
        async with self._reaching(f"{method} {path}"), limit, request as response:
            answer = await response.read()
        if response.status >= 400:
            raise _refusal(response.status, answer)
        return answer

    async def _stream(
        self,
        method: str,
        path: str,
        params: Params,
        *,
        stall_seconds: float | None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[bytes]:
        """The answer as it comes, after one empty piece when its head is there. A stall is no answer."""
        url = await self._url(path, versioned=True)
        assert self._docker is not None
        async with self._reaching(f"{method} {path}"):
            async with asyncio.timeout(stall_seconds or self._call_seconds):
                timeout = aiohttp.ClientTimeout(total=None, sock_read=stall_seconds)
                response = await self._docker.session.request(
                    method, url, params=params, timeout=timeout, headers=headers
                )
            async with response:
                if response.status >= 400:
                    raise _refusal(response.status, await response.read())
                yield b""
                async for data in response.content.iter_any():
                    yield data

    @asynccontextmanager
    async def _reaching(self, what: str) -> AsyncGenerator[None]:
        """Every way of not being answered becomes EngineUnavailable."""
        try:
            yield
        except TimeoutError as error:
            self._version = None
            raise EngineUnavailable(f"the engine at {self.socket} does not answer ({what})") from error
        except (aiohttp.ClientError, OSError) as error:
            self._version = None
            words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            unavailable = EngineUnreachable if isinstance(error, aiohttp.ClientConnectorError) else EngineUnavailable
            raise unavailable(f"the engine at {self.socket} cannot be reached: {words} ({what})") from error


def _refusal(status: int, body: bytes) -> CallRefused:
    try:
        message = msgspec.json.decode(body, type=_ErrorBody).message
    except msgspec.DecodeError:
        message = body.decode(errors="replace")
    return CallRefused(status, message.strip() or f"HTTP status {status}")


def _decode(body: bytes, type: type[T]) -> T:
    """`body` as `type`. What is not what an engine says is no engine."""
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.MsgspecError as error:
        raise EngineUnavailable(f"what answers is no Docker engine: {error}") from error


def _check_progress(lines: bytes) -> None:
    """Raises CallRefused for the error that may come in the middle of an answer."""
    for line in lines.splitlines():
        error = _decode(line, _Progress).error if line.strip() else ""
        if error:
            raise CallRefused(0, error)


def _has_tag(image: str) -> bool:
    return ":" in image.rpartition("/")[2] or "@" in image
