"""`longshore simulate`, in whole: policies in processes of their own, tables, JSON, pictures, refusals."""

import json
from pathlib import Path

import pytest

from tests.cli.canned_server import Run

SMALL = ("--hosts", "8x8:32GiB", "--jobs", "200", "--largest", "32", "--interval", "30", "--seed", "7")


def test_policies_side_by_side(run: Run, tmp_path: Path) -> None:
    """The same seed gives the same figures, and the pictures are drawn without a screen."""
    charts = [tmp_path / "one.png", tmp_path / "one.svg"]
    arguments = ["simulate", "lublin-feitelson", *SMALL, "--policy", "fifo", "--policy", "fair", "--processes", "2"]
    told = run(*arguments, "--json", *(f"--chart={path}" for path in charts))
    assert (told.exit_code, told.stderr) == (0, "")
    report = json.loads(told.stdout)
    assert [policy["policy"] for policy in report["policies"]] == ["fifo", "fair"]
    assert report["jobs"] == 200
    assert report["thresholdSeconds"] == 10.0
    assert all(policy["neverStarted"] == 0 for policy in report["policies"])
    assert all(policy["boundedSlowdown"]["mean"] >= 1 for policy in report["policies"])
    assert report["policies"][0]["delayed"] is None
    assert report["policies"][1]["delayed"]["than"] == "fifo"
    assert charts[0].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in charts[1].read_text()
    assert run(*arguments, "--json").stdout == told.stdout


def test_a_table_for_people(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.swf"
    log.write_text(
        "; a log\n1 0 -1 100 2 -1 -1 2 -1 -1 1 4 -1 -1 -1 -1 -1 -1\n2 1 -1 -1 2 -1 -1 2 -1 -1 5 4 -1 -1 -1 -1 -1 -1\n"
    )
    told = run("simulate", str(log), "--hosts", "1x2", "--policy", "fifo")
    assert told.exit_code == 0
    assert "1 job of 1 share on 1 x 2 vCPU; a cycle at each change" in told.stdout
    assert "1 of 2 jobs never ran (run time -1) and are left out" in told.stdout
    assert "GAP is how much longer than 1 min 40 s it took" in told.stdout
    assert run("simulate", str(log), "--hosts", "1x2", "--policy", "fifo", "-q").stdout == "fifo 1.00\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lublin-feitelson",), "describe the fleet with --hosts"),
        (("lublin-feitelson", "--hosts", "many"), "hosts many are not COUNTxVCPUS"),
        (("lublin-feitelson", "--hosts", "1x4", "--policy", "best"), "there is no policy best; there are fifo"),
        (("lublin-feitelson", "--hosts", "1x4", "--chart", "one.pdf"), "one.pdf ends in neither .png nor .svg"),
        (("nothing", "--hosts", "1x4"), "models are lublin-feitelson and poisson-arrays"),
        (("nothing.swf", "--hosts", "1x4"), "nothing.swf can't be read"),
    ],
)
def test_refusals(run: Run, arguments: tuple[str, ...], words: str) -> None:
    told = run("simulate", *arguments)
    assert (told.exit_code, told.stdout) == (2, "")
    assert words in told.stderr
