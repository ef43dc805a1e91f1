"""Where the neighbours are."""

from dataclasses import dataclass

#: in place of a URL: AWS's own endpoint of the region
AWS = "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourConfig:
    """An endpoint's URL each, or `AWS`; None: there is none, and nothing is asked."""

    secrets_endpoint: str | None = None
    ssm_endpoint: str | None = None
    sts_endpoint: str | None = None
    s3_endpoint: str | None = None
