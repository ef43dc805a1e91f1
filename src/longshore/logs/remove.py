"""Removing streams: their files first, then their rows, so that a kill between leaves rows that are removed again."""

from collections.abc import Sequence

import structlog

from longshore.logs.index import Index, Place, Remains
from longshore.logs.layout import Layout, unlink_quietly
from longshore.logs.punch import punch

_log = structlog.get_logger(__name__)


def remove_streams(layout: Layout, index: Index, remains: Sequence[Remains]) -> None:
    """Afterwards nothing of these streams is left. Raises OSError or sqlite3.Error."""
    for stream in remains:
        if stream.place is Place.FILE and stream.attempt_id is not None:
            for path in (
                layout.sealed_log(stream.attempt_id),
                layout.sealed_index(stream.attempt_id),
                layout.live_log(stream.attempt_id),
                layout.live_index(stream.attempt_id),
            ):
                unlink_quietly(path)
    _free_packed(layout, remains)
    with index.transaction(durable=True):
        index.delete_streams([stream.stream_id for stream in remains])


def _free_packed(layout: Layout, remains: Sequence[Remains]) -> None:
    """Give disk space back. Logs that lie side by side go in one step, since only whole pages are freed."""
    packed = sorted((s.segment, s.offset, s.offset + s.length) for s in remains if s.place is Place.PACK)
    stretches: list[tuple[int, int, int]] = []
    for segment, start, end in packed:
        if stretches and stretches[-1][0] == segment and stretches[-1][2] == start:
            stretches[-1] = (segment, stretches[-1][1], end)
        else:
            stretches.append((segment, start, end))
    for segment, start, end in stretches:
        try:
            punch(layout.pack(segment), start, end)
        except OSError as error:
            _log.warning("log_space_not_freed", segment=segment, error=str(error))
