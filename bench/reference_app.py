"""The reference for SubmitJob: a bare Starlette application that stores each request in SQLite before it answers.

One writer thread takes what has come in, inserts it and commits once, so that many requests share one sync to disk:
the least that a durable submission costs on these libraries. Usage: reference_app.py PORT FILE
"""

import asyncio
import sqlite3
import sys
from queue import Empty, SimpleQueue
from threading import Thread
from uuid import uuid4

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_Item = tuple[str, bytes, asyncio.Future[None]]


class Writer:
    """Inserts what it is given in groups, each durable when it is answered."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._items: SimpleQueue[_Item] = SimpleQueue()
        Thread(target=self._serve, daemon=True).start()

    async def insert(self, uuid: str, body: bytes) -> None:
        """Stored and on the disk."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._items.put((uuid, body, done))
        await done

    def _serve(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE jobs (key INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, body BLOB NOT NULL)")
        while True:
            group = [self._items.get()]
            try:
                while True:
                    group.append(self._items.get_nowait())
            except Empty:
                pass
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO jobs (uuid, body) VALUES (?, ?)", [item[:2] for item in group])
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_answer, [item[2] for item in group])


def _answer(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        done.set_result(None)


def main() -> None:
    """Serve until killed."""
    port, path = int(sys.argv[1]), sys.argv[2]
    writer: list[Writer] = []

    async def submit(request: Request) -> Response:
        if not writer:
            writer.append(Writer(path))
        body = await request.body()
        document = msgspec.json.decode(body)
        uuid = str(uuid4())
        await writer[0].insert(uuid, body)
        arn = f"arn:aws:batch:us-east-1:000000000000:job/{uuid}"
        answer = msgspec.json.encode({"jobArn": arn, "jobName": document["jobName"], "jobId": uuid})
        return Response(answer, media_type="application/json")

    app = Starlette(routes=[Route("/v1/submitjob", submit, methods=["POST"])])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
