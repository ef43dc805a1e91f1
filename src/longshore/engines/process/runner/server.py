"""The runner's one loop: children, sockets and timers, by epoll. Everything else is `supervisor`'s business.

Nothing here blocks. A launch of many is worked off in chunks between which ended children are seen to. Requests of one
connection are answered in order; while one is being worked on, no more are read from that connection.
"""

import os
import select
import signal
import socket
import struct
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec

from longshore.engines.process.runner.supervisor import Supervisor, boot_seconds
from longshore.engines.process.wire import (
    SPOKEN,
    Discover,
    Done,
    Frames,
    Hello,
    Known,
    Launch,
    Launched,
    Observe,
    ProtocolError,
    Refusal,
    Release,
    Reports,
    Request,
    Retire,
    Stop,
    Watch,
    Welcome,
    agreed,
    frame,
)

#: launches or releases between two looks at ended children: some 10 ms
_CHUNK = 16
_MAX_CONNECTIONS = 32
#: a client that does not read what it is sent is cut off at this many bytes
_MAX_UNSENT_BYTES = 32 * 1024 * 1024
_READ_BYTES = 256 * 1024
_HOUSEKEEPING_SECONDS = 2.0
_FINISHED = object()


class Connection:
    """One client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.frames = Frames()
        self.greeted = False
        self.watches = False
        self.payloads: deque[bytes] = deque()
        #: request that is being worked off, a chunk each time it is asked
        self.work: Iterator[None] | None = None
        #: answers and news of one turn of the loop, sent together at its end
        self.unsent = bytearray()
        #: its socket took no more
        self.is_blocked = False

    @property
    def has_work(self) -> bool:
        return self.work is not None or bool(self.payloads)


class Server:
    """Serves clients until there is nothing to do for anyone."""

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        listener: socket.socket,
        version: str,
        memory_problem: str,
        idle_seconds: float,
        still_ours: Callable[[], bool],
        note: Callable[[str], None],
    ) -> None:
        """`still_ours` tells whether the data folder is there and the lock in it is ours."""
        self._supervisor = supervisor
        self._listener = listener
        self._version = version
        self._memory_problem = memory_problem
        self._idle_seconds = idle_seconds
        self._still_ours = still_ours
        self._note = note
        self._connections: dict[int, Connection] = {}
        self._orphans: set[int] = set()
        self._poll = select.epoll()
        self._decode = msgspec.msgpack.Decoder(Request).decode
        self._retiring = False
        self._wakeup = _signals_to_socket()

    def run(self) -> None:
        """Serve. Returns when the runner is no longer needed, or its data folder has gone."""
        poll, supervisor = self._poll, self._supervisor
        self._listener.setblocking(False)
        listener, wakeup = self._listener.fileno(), self._wakeup.fileno()
        poll.register(listener, select.EPOLLIN)
        poll.register(wakeup, select.EPOLLIN)
        for fd in supervisor.orphans:
            poll.register(fd, select.EPOLLIN)
            self._orphans.add(fd)
        last_used = housekeeping_at = boot_seconds()
        supervisor.reap()
        while True:
            busy = any(connection.has_work for connection in self._connections.values())
            until = min(supervisor.next_tick_at(), housekeeping_at)
            for fd, event in poll.poll(0 if busy else max(0.0, until - boot_seconds())):
                if fd == wakeup:
                    self._read_signals()
                elif fd == listener:
                    self._accept()
                elif fd in self._orphans:
                    self._orphan_ended(fd)
                elif (connection := self._connections.get(fd)) is not None:
                    self._guarded(connection, lambda c, e=event: self._io(c, e))
            for connection in list(self._connections.values()):
                if connection.has_work:
                    self._guarded(connection, self._step)
            now = boot_seconds()
            if supervisor.next_tick_at() <= now:
                supervisor.tick()
            self._tell()
            for connection in list(self._connections.values()):
                if connection.unsent and not connection.is_blocked:
                    self._guarded(connection, self._send_unsent)
            if self._connections:
                last_used = now
            if now >= housekeeping_at:
                if not self._still_ours():
                    self._note("the data folder has gone; killing what is left and leaving")
                    return
                housekeeping_at = now + _HOUSEKEEPING_SECONDS
            idle = now - last_used >= self._idle_seconds
            if (idle or self._retiring) and not supervisor.has_work:
                return

    def close(self) -> None:
        """Hang up on everyone."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._listener.close()

    # --- children -------------------------------------------------------------------------------------------------

    def _read_signals(self) -> None:
        numbers = self._wakeup.recv(4096)
        if signal.SIGTERM in numbers:
            self._note("asked to leave; leaving when nothing is live")
            self._retiring = True
        self._supervisor.reap()

    def _orphan_ended(self, fd: int) -> None:
        # From here on `tick` asks for its outcome: the descriptor stays readable.
        self._poll.unregister(fd)
        self._orphans.discard(fd)
        self._supervisor.orphan_ended(fd)

    # --- clients --------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            self._note(f"a connection was lost before it was accepted: {error}")
            return
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (0, os.geteuid()) or len(self._connections) >= _MAX_CONNECTIONS:
            self._note(f"refused a connection of user {uid}; there are {len(self._connections)}")
            sock.close()
            return
        sock.setblocking(False)
        self._connections[sock.fileno()] = Connection(sock)
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def _guarded(self, connection: Connection, act: Callable[[Connection], None]) -> None:
        """Do something for a client; whatever goes wrong ends its connection and nothing else."""
        try:
            act(connection)
        except (ConnectionError, EOFError):
            self._drop(connection)
        except (ProtocolError, msgspec.MsgspecError) as error:
            self._note(f"hung up on a client that sent what is no message: {error}")
            self._drop(connection)
        except Exception:
            self._note(f"hung up on a client: {traceback.format_exc()}")
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        fd = connection.sock.fileno()
        if self._connections.pop(fd, None) is not None:
            self._poll.unregister(fd)
            connection.sock.close()

    def _io(self, connection: Connection, event: int) -> None:
        if event & select.EPOLLOUT:
            self._send_unsent(connection)
        if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            data = connection.sock.recv(_READ_BYTES)
            if not data:
                raise EOFError
            connection.payloads.extend(connection.frames.feed(data))
            self._listen(connection)

    def _listen(self, connection: Connection) -> None:
        """Poll for what the connection is ready for: for input only when none waits to be worked on."""
        wanted = (0 if connection.has_work else select.EPOLLIN) | (select.EPOLLOUT if connection.is_blocked else 0)
        self._poll.modify(connection.sock.fileno(), wanted)

    @staticmethod
    def _send(connection: Connection, data: bytes) -> None:
        connection.unsent += data
        if len(connection.unsent) > _MAX_UNSENT_BYTES:
            raise ProtocolError("it does not read its answers")

    def _send_unsent(self, connection: Connection) -> None:
        with suppress(BlockingIOError):
            del connection.unsent[: connection.sock.send(connection.unsent)]
        if bool(connection.unsent) is not connection.is_blocked:
            connection.is_blocked = bool(connection.unsent)
            self._listen(connection)

    def _step(self, connection: Connection) -> None:
        """Work on the client's next request for about a chunk."""
        if connection.work is None:
            payload = connection.payloads.popleft()
            if connection.greeted:
                connection.work = self._serve(connection, self._decode(payload))
            else:
                self._greet(connection, msgspec.msgpack.decode(payload, type=Hello))
        if connection.work is not None and next(connection.work, _FINISHED) is _FINISHED:
            connection.work = None
        if not connection.has_work:
            self._listen(connection)

    def _greet(self, connection: Connection, hello: Hello) -> None:
        version = agreed(SPOKEN, hello.speaks)
        welcome = Welcome(
            longshore=self._version,
            speaks=SPOKEN,
            version=version,
            pid=os.getpid(),
            memory_problem=self._memory_problem,
        )
        self._send(connection, frame(welcome))
        if version == 0:
            self._send_unsent(connection)
            raise ProtocolError(f"Longshore {hello.longshore} speaks {hello.speaks}, this runner {SPOKEN}")
        connection.greeted = True

    def _serve(self, connection: Connection, request: Request) -> Iterator[None]:
        """Do what is asked, in chunks, and answer at the end."""
        supervisor = self._supervisor
        match request:
            case Launch():
                refused: list[Refusal] = []
                for at in range(0, len(request.items), _CHUNK):
                    refused += supervisor.launch(request.items[at : at + _CHUNK])
                    yield
                answer = Launched(request.seq, refused)
            case Observe():
                found = [supervisor.attempts[each] for each in request.ids if each in supervisor.attempts]
                answer = Reports(request.seq, [attempt.report() for attempt in found])
            case Stop():
                supervisor.stop(request.ids)
                answer = Done(request.seq)
            case Release():
                for at in range(0, len(request.ids), _CHUNK):
                    supervisor.release(request.ids[at : at + _CHUNK])
                    yield
                answer = Done(request.seq)
            case Discover():
                answer = Known(request.seq, list(supervisor.attempts))
            case Watch():
                connection.watches = True
                answer = Done(request.seq)
            case Retire():
                self._retiring = True
                answer = Done(request.seq)
        self._send(connection, frame(answer))

    def _tell(self) -> None:
        """Send the news to all who watch."""
        news = self._supervisor.news
        if not news:
            return
        data = frame(Reports(0, news))
        news.clear()
        for connection in list(self._connections.values()):
            if connection.watches:
                self._guarded(connection, lambda c: self._send(c, data))


def _signals_to_socket() -> socket.socket:
    """A socket that becomes readable at SIGCHLD and SIGTERM, with their numbers."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
        signal.siginterrupt(number, False)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    return reader
