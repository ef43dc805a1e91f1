"""One thing that a job waits for."""

from typing import Literal

from longshore.service.documents import Document


class Cause(Document, frozen=True):
    """One thing that a job waits for."""

    kind: Literal["intake", "request", "hold", "queue", "environment", "dependency", "order", "capacity"]
    text: str
    #: the job that is waited for, when it is one
    job_id: str | None = None
    #: what would help, where anything is known to
    remedy: str | None = None
