"""Forms of `valueFrom`."""

import pytest

from longshore.domain.secret import Keeper, SecretReference, parse_secret

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-AbCdEf"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/a/b"
ASM, SSM = Keeper.SECRETS_MANAGER, Keeper.PARAMETER_STORE
HERE = {"keeper": ASM, "id": ARN, "region": "us-east-1"}


@pytest.mark.parametrize(
    ("value_from", "reference"),
    [
        (ARN, SecretReference(**HERE)),
        (f"{ARN}:::", SecretReference(**HERE)),
        (f"{ARN}:key::", SecretReference(**HERE, json_key="key")),
        (f"{ARN}:key:AWSPREVIOUS:", SecretReference(**HERE, json_key="key", version_stage="AWSPREVIOUS")),
        (f"{ARN}::AWSPREVIOUS:", SecretReference(**HERE, version_stage="AWSPREVIOUS")),
        (f"{ARN}:key::id", SecretReference(**HERE, json_key="key", version_id="id")),
        (PARAMETER, SecretReference(keeper=SSM, id=PARAMETER, region="us-east-1")),
        ("/a/b", SecretReference(keeper=SSM, id="/a/b")),
        ("b", SecretReference(keeper=SSM, id="b")),
        (f"{ARN}:key", None),
        (f"{ARN}:key:", None),
        (f"{ARN}:key:stage:id", None),
        (f"{ARN}:key:::", None),
        ("arn:aws:s3:::bucket", None),
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:", None),
        ("", None),
        ("a b", None),
    ],
)
def test_forms(value_from: str, reference: SecretReference | None) -> None:
    """What is meant; None where the colons do not add up."""
    assert parse_secret(value_from) == reference
