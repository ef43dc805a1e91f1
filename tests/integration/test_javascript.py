"""The AWS SDK for JavaScript walks through all that one does with AWS Batch, set-up to tear-down."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.live import live_server

FOLDER = Path(__file__).with_name("javascript")


@pytest.mark.javascript
@pytest.mark.timeout(180)
def test_the_walk_of_a_job(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        server.start()
        command = ["node", "scenario.mjs", server.url]
        ended = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
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
