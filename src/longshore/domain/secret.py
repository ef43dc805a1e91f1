"""What a job means by the `valueFrom` of a secret."""

import re
from dataclasses import dataclass
from enum import StrEnum

_SECRET_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:[^:]+")
_PARAMETER_ARN = re.compile(r"arn:aws[a-z-]*:ssm:([a-z0-9-]+):[0-9]{12}:parameter/.+", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_.\-/]{1,2048}")


class Keeper(StrEnum):
    """Who has a secret, by the name that AWS's messages give it."""

    SECRETS_MANAGER = "asm"
    PARAMETER_STORE = "ssm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """A secret, or a part of one."""

    keeper: Keeper
    #: ARN or name, as the keeper takes it
    id: str
    #: that of the ARN; empty: that of the job
    region: str = ""
    #: one member of a secret that is a JSON object; empty: all of it
    json_key: str = ""
    version_stage: str = ""
    version_id: str = ""


def parse_secret(value_from: str) -> SecretReference | None:
    """The secret that is meant, or None for what has none of the forms. A plain name is that of a parameter.

    Source: Amazon ECS developer guide, passing sensitive data to a container.
    """
    if not value_from.startswith("arn:"):
        matches = _NAME.fullmatch(value_from)
        return SecretReference(keeper=Keeper.PARAMETER_STORE, id=value_from) if matches else None
    if match := _PARAMETER_ARN.fullmatch(value_from):
        return SecretReference(keeper=Keeper.PARAMETER_STORE, id=value_from, region=match[1])
    # Seven parts are the secret's own; behind them come all of member, stage and version, or none.
    parts = value_from.split(":")
    arn, behind = ":".join(parts[:7]), parts[7:] or ["", "", ""]
    match = _SECRET_ARN.fullmatch(arn)
    if match is None or len(behind) != 3:
        return None
    json_key, stage, version = behind
    if stage and version:
        return None
    return SecretReference(
        keeper=Keeper.SECRETS_MANAGER,
        id=arn,
        region=match[1],
        json_key=json_key,
        version_stage=stage,
        version_id=version,
    )
