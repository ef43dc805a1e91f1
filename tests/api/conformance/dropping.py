"""Whether the tests that carry the mark `covers` would miss the members they cover.

Run as a program it runs each of them again with the member taken out of every request that boto3 sends, and says which
do not fail. As a pytest plugin it does the taking out; `LONGSHORE_DROP_MEMBER` names the member.
"""

import os
import subprocess
import sys
from typing import Any

import pytest
from botocore.client import BaseClient

from tests.api.conformance.coverage import ROOT, covering_tests
from tests.api.conformance.model import without

VARIABLE = "LONGSHORE_DROP_MEMBER"


@pytest.fixture(autouse=True)
def _drop_member(monkeypatch: pytest.MonkeyPatch) -> None:
    operation, *path = os.environ[VARIABLE].split(".")
    call = BaseClient._make_api_call

    def call_without(self: BaseClient, name: str, members: dict[str, Any]) -> Any:
        return call(self, name, without(members, tuple(path)) if name == operation else members)

    monkeypatch.setattr(BaseClient, "_make_api_call", call_without)


def _fails_without(member: str, test: str) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", __spec__.name, test]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, VARIABLE: member}, capture_output=True, text=True, check=False
    )
    print(f"{member}: {test}: {ended.stdout.splitlines()[-1]}", flush=True)
    return ended.returncode == 1


def main() -> int:
    """1 when some test does not miss its member."""
    pairs = [(member, test) for member, tests in covering_tests().items() for test in tests]
    blind = [pair for pair in pairs if not _fails_without(*pair)]
    for member, test in blind:
        print(f"{test} does not miss {member}, or did not run")
    return 1 if blind else 0


if __name__ == "__main__":
    sys.exit(main())
