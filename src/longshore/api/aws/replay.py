"""Which signatures were seen: a request that somebody listened to must not be carried out again.

A signature is the same for equal requests of one second, since its date has no fractions: what boto3 sends when it
tries again at once, or when a script submits two equal jobs, cannot be told from a copy by its signature. Such repeats
come within moments. What only reads is then answered, since whoever has a copy has seen the answer too. What changes
something is carried out for the connection that it first came on; on another one it is refused in a way that clients
answer by signing anew, which a listener cannot. Every later repeat is a replay.

The memory is bounded. What it gives up, oldest dates first, and what was before it began, is no longer known; requests
with such a date must be signed anew, too.
"""

from collections.abc import Callable

from longshore.api.aws.faults import SignAnew, WrongSignature

#: Equal requests of one second, and how long they may be under way.
REPEAT_SECONDS = 2.0
#: About 30 MB when full; at a thousand requests a second it then reaches back 100 seconds.
CAPACITY = 100_000


class SeenSignatures:
    """Remembers the signatures of requests that were let in, for as long as their dates would let them in again."""

    def __init__(self, *, began_at: int, window_seconds: int, read_boot_clock: Callable[[], float]) -> None:
        """Dates are whole seconds since 1970; `began_at` is that of the first that can be known."""
        self._known_from = began_at
        self._window_seconds = window_seconds
        self._read_boot_clock = read_boot_clock
        self._by_date: dict[int, dict[bytes, tuple[float, str]]] = {}
        self._count = 0

    def admit(self, signature: bytes, *, date: int, connection: str, is_read: bool, now: int) -> None:
        """Remember a verified signature.

        Raises:
            WrongSignature: it was seen before, and not just now.
            SignAnew: whether it was seen is not known, or it was just now on another connection.
        """
        if date < self._known_from:
            raise SignAnew
        at = self._read_boot_clock()
        seen = self._by_date.setdefault(date, {})
        first = seen.get(signature)
        if first is None:
            seen[signature] = (at, connection)
            self._count += 1
            if self._count > CAPACITY or len(self._by_date) > 2 * self._window_seconds:
                self._forget(now)
        elif at - first[0] > REPEAT_SECONDS:
            raise WrongSignature("Signature was used before: each request must be signed anew.")
        elif not is_read and connection != first[1]:
            raise SignAnew

    def _forget(self, now: int) -> None:
        for date in sorted(self._by_date):
            if date >= now - self._window_seconds:
                if self._count <= CAPACITY:
                    return
                self._known_from = date + 1
            self._count -= len(self._by_date.pop(date))
