"""The AWS SDK for JavaScript walks through all that one does with AWS Batch, set-up to tear-down, signed and not."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import LiveServer, live_server
from tests.integration.test_signed_server import SIGNED, SignedServer, keys, make_key

FOLDER = Path(__file__).with_name("javascript")

pytestmark = [pytest.mark.javascript, pytest.mark.timeout(180)]


def run(program: str, *arguments: str) -> Any:
    """What a program prints."""
    command = ["node", program, *arguments]
    ended = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def credentials(key: dict[str, str]) -> list[str]:
    return [key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"]]


def test_the_walk_of_a_job(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        walk(server, "any", "any")


def test_the_walk_of_a_job_signed(tmp_path: Path) -> None:
    with live_server(tmp_path, kind=SignedServer, settings=SIGNED) as server:
        walk(server, *credentials(server.key))


def walk(server: LiveServer, key_id: str, secret: str) -> None:
    server.start()
    seen = run("scenario.mjs", server.url, key_id, secret)
    unknown, misnamed, attached = seen.pop("refusals")
    assert seen == {
        "failed": {
            "status": "FAILED",
            "reason": "Essential container in task exited",
            "exitCodes": [7, 7],
            "isInOrder": True,
        },
        "array": {
            **dict.fromkeys(("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "FAILED"), 0),
            "SUCCEEDED": 3,
        },
        "pages": [[0, 1], [2]],
        "terminated": {"status": "FAILED", "reason": "enough", "is": True},
        "tags": {"a b": "c/d"},
        "environments": [],
    }
    client_exception = {"isClientException": True, "name": "ClientException", "status": 400}
    assert unknown == client_exception | {"message": "JobQueue none not found."}
    wrapped = "Error executing request, Exception : Job name should match valid pattern, RequestId: [0-9a-f-]{36}"
    assert re.fullmatch(wrapped, misnamed.pop("message"))
    assert misnamed == client_exception
    assert attached == client_exception | {"message": "Cannot delete, state must be DISABLED"}


def test_refusals_of_a_server_that_verifies(tmp_path: Path) -> None:
    """By AWS's names; a clock that goes wrong is corrected by the SDK itself, from what it is told."""
    with live_server(tmp_path, kind=SignedServer, settings=SIGNED) as server:
        server.start()
        disabled, reader = make_key(server.data), make_key(server.data, "--allow", "batch:Describe*")
        assert keys("disable", server.data, disabled["AWS_ACCESS_KEY_ID"]).exit_code == 0
        known = {"good": server.key, "disabled": disabled, "reader": reader}
        seen = run("refusals.mjs", server.url, json.dumps({name: credentials(key) for name, key in known.items()}))
    assert seen == {
        "signed": "answered",
        "unsigned": ["MissingAuthenticationTokenException", 403],
        "wrongly": ["InvalidSignatureException", 403],
        "with an unknown key": ["UnrecognizedClientException", 403],
        "with a disabled key": ["UnrecognizedClientException", 403],
        "with a key that may not": ["AccessDeniedException", 403],
        "ten minutes late": ["InvalidSignatureException", 403],
        "ten minutes early": ["InvalidSignatureException", 403],
        "ten minutes late, with one more try": "answered",
        "once more": ["InvalidSignatureException", 403],
    }
