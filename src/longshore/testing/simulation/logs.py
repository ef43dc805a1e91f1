"""Logs in memory: what was appended outlives a server, as it does on a disk."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from longshore.domain.ids import AttemptId, Scope
from longshore.ports.logs import AttemptLog


class KeptLogs:
    """Output by attempt. `AttemptLogs` without faults; `server.GatedLogs` puts these between it and control."""

    def __init__(self) -> None:
        self.output: dict[AttemptId, bytes] = {}
        self.cursors: dict[AttemptId, str] = {}
        self.sealed: set[AttemptId] = set()

    async def has_group(self, scope: Scope, name: str, *, create: bool) -> bool:
        return True

    def refuse_start(self, event_start: str) -> str:
        return ""

    def path(self, attempt_id: AttemptId) -> Path:
        return Path("/nowhere") / attempt_id

    async def attach(self, logs: Sequence[AttemptLog]) -> None:
        for log in logs:
            self.output.setdefault(log.attempt_id, b"")

    async def append(self, attempt_id: AttemptId, chunks: Sequence[tuple[datetime, bytes]], cursor: str) -> None:
        if attempt_id in self.sealed:
            return
        self.output[attempt_id] += b"".join(data for _, data in chunks)
        self.cursors[attempt_id] = cursor

    async def cursor(self, attempt_id: AttemptId) -> str:
        return self.cursors.get(attempt_id, "")

    async def seal(self, attempt_ids: Sequence[AttemptId]) -> None:
        self.sealed.update(attempt_ids)
