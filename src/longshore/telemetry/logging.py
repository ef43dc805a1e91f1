"""Sets up the server's own log: an event name plus fields, one line each, for people or for programs.

Jobs' output never comes here. Modules log through `structlog.get_logger()`; what libraries log through `logging` joins
the same stream in the same form.
"""

import logging
import sys
from typing import Literal, TextIO

import structlog

LogFormat = Literal["console", "json"]

#: Libraries whose news is for those who debug them.
_QUIET = ("aiohttp", "aiodocker", "alembic", "asyncio", "botocore", "sqlalchemy", "urllib3", "uvicorn.access")


def configure_logging(*, format: LogFormat = "console", level: str = "INFO", stream: TextIO | None = None) -> None:
    """From here on every log call of this process writes one line to the stream (standard error by default).

    Console lines are coloured when the stream is a terminal; JSON lines carry `event`, `level`, `timestamp` (UTC, ISO
    8601), `logger` and the call's fields. May be called again; the last call holds. Raises ValueError for a level that
    does not exist.
    """
    root = logging.getLogger()
    root.setLevel(level)
    out = sys.stderr if stream is None else stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # A cached logger would keep the processors of an earlier call.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(format, out)],
        )
    )
    root.handlers[:] = [handler]
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _rendering(format: LogFormat, stream: TextIO) -> list[structlog.typing.Processor]:
    if format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    # The plain form: the rich one prints local variables, and jobs' environments are among them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, exception_formatter=plain)]
