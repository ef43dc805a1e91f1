"""What can go wrong, as the caller sees it.

LongshoreError
├── RequestRefused          the caller's mistake; nothing was changed
│   ├── InvalidRequest      a member is missing, malformed or contradicts another
│   ├── NotFound            names something that does not exist
│   ├── AlreadyExists       the name is taken
│   ├── Conflict            the thing is in a state that does not allow this
│   ├── NotAuthenticated    nothing proves who the caller is
│   └── AccessDenied        the caller is known, and may not do this
├── StoreUnavailable        we cannot keep a promise now (disk full, read only); the same call may succeed later
├── StaleLeader             this process no longer leads; its write was refused whole
└── InvalidTransition       an event that must not happen in a job's status: a bug of ours, never the caller's
"""


class LongshoreError(Exception):
    """Longshore could not do this."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        """The text for the caller."""
        return str(self.args[0])


class RequestRefused(LongshoreError):
    """The request cannot be carried out as it stands.

    `wrapped` texts are sent as `Error executing request, Exception : <text>, RequestId: <uuid>`, as AWS Batch sends
    most of its validation failures; clients match on both forms.
    """

    def __init__(self, message: str = "", *, wrapped: bool = False) -> None:
        super().__init__(message)
        self.wrapped = wrapped


class InvalidRequest(RequestRefused):
    """The request is not valid."""


class NotFound(RequestRefused):
    """There is no such thing."""


class AlreadyExists(RequestRefused):
    """Object already exists"""


class Conflict(RequestRefused):
    """The present state does not allow this."""


class NotAuthenticated(RequestRefused):
    """Nothing proves who sent the request."""


class AccessDenied(RequestRefused):
    """The caller may not do this."""


class StoreUnavailable(LongshoreError):
    """The store cannot take writes now."""


class StaleLeader(LongshoreError):
    """Another process leads now."""


class InvalidTransition(LongshoreError):
    """An event that the job's status does not allow."""

    def __init__(self, message: str = "", *, job_id: str = "") -> None:
        super().__init__(message)
        self.job_id = job_id
