"""Index the standard library through a real server, and check the result: `make demo`.

Starts `longshore server` with the process engine in a folder of its own, submits the work with plain boto3 as any AWS
Batch user would, shows it going through, and compares the report with a computation in one process. Nothing is left
behind.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.config import Config
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.measure import TRANSIENT_FAULT, measure, source_files, total  # noqa: E402 - the line above makes it importable

SHARES = 24
POLL_SECONDS = 0.2
FINAL = ("SUCCEEDED", "FAILED")
console = Console()


@contextmanager
def running_server(folder: Path) -> Generator[str]:
    """A server on a free port with the process engine; yields its URL and stops it in the end."""
    command = [sys.executable, "-m", "longshore", "server", "--port", "0", "--engine", "process"]
    log = (folder / "server.log").open("w")
    server = subprocess.Popen([*command, "--data", str(folder / "data")], stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert server.stdout is not None
        ready = server.stdout.readline()
        if "http://" not in ready:
            raise SystemExit(f"the server did not start:\n{(folder / 'server.log').read_text()}")
        yield "http://" + ready.rpartition("http://")[2].strip()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
        log.close()


def set_up(batch: Any) -> None:
    """One environment, one queue."""
    batch.create_compute_environment(
        computeEnvironmentName="this-machine", type="UNMANAGED", tags={"longshore:engine": "process"}
    )
    batch.create_job_queue(
        jobQueueName="demo",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "this-machine"}],
    )


def register(batch: Any, step: str, folder: Path) -> str:
    """A job definition that runs one step of `demo.measure`; the process engine uses no image."""
    answer = batch.register_job_definition(
        jobDefinitionName=f"demo-{step}",
        type="container",
        containerProperties={
            "image": "python",
            "command": [sys.executable, "-m", "demo.measure", step],
            "environment": [{"name": "DEMO_FOLDER", "value": str(folder)}, {"name": "PYTHONPATH", "value": str(ROOT)}],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}],
        },
        retryStrategy={
            "attempts": 3,
            "evaluateOnExit": [
                {"onExitCode": str(TRANSIENT_FAULT), "action": "RETRY"},
                {"onReason": "*", "action": "EXIT"},
            ],
        },
    )
    return str(answer["jobDefinitionArn"])


def submit(batch: Any, folder: Path) -> dict[str, str]:
    """The three jobs, each waiting for the one before; returns step to job id."""
    share = batch.submit_job(
        jobName="measure",
        jobQueue="demo",
        jobDefinition=register(batch, "share", folder),
        arrayProperties={"size": SHARES},
    )
    condense = batch.submit_job(
        jobName="condense",
        jobQueue="demo",
        jobDefinition=register(batch, "condense", folder),
        arrayProperties={"size": SHARES},
        dependsOn=[{"jobId": share["jobId"], "type": "N_TO_N"}],
    )
    report = batch.submit_job(
        jobName="report",
        jobQueue="demo",
        jobDefinition=register(batch, "report", folder),
        dependsOn=[{"jobId": condense["jobId"]}],
    )
    return {"measure": share["jobId"], "condense": condense["jobId"], "report": report["jobId"]}


def finished(job: Mapping[str, Any]) -> int:
    """How many jobs have ended that this one stands for."""
    summary = job.get("arrayProperties", {}).get("statusSummary")
    return sum(summary[status] for status in FINAL) if summary else int(job["status"] in FINAL)


def watch(batch: Any, job_ids: Mapping[str, str]) -> dict[str, Any]:
    """Show the jobs until all have ended; returns step to job."""
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bars: dict[str, TaskID] = {
            step: progress.add_task(step, total=1 if step == "report" else SHARES, status="SUBMITTED")
            for step in job_ids
        }
        while True:
            jobs = {job["jobName"]: job for job in batch.describe_jobs(jobs=list(job_ids.values()))["jobs"]}
            for step, bar in bars.items():
                progress.update(bar, completed=finished(jobs[step]), status=jobs[step]["status"])
            if all(job["status"] in FINAL for job in jobs.values()):
                return jobs
            time.sleep(POLL_SECONDS)


def show(jobs: Mapping[str, Any], retried: Mapping[str, Any], report: Mapping[str, int]) -> None:
    """What came of it."""
    attempts = ", ".join(f"exit code {attempt['container']['exitCode']}" for attempt in retried["attempts"])
    console.print(f"\nChild {retried['jobId']} needed {len(retried['attempts'])} attempts: {attempts}.")
    table = Table(title="The Python standard library, measured by batch jobs", title_justify="left")
    for name in report:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:,}" for value in report.values()))
    console.print(table)


def main() -> int:
    """Run the demo; 0 when the report is right."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="longshore-demo-") as name:
        folder = Path(name)
        with running_server(folder) as url:
            console.print(f"longshore server answers at {url}; submitting {2 * SHARES + 1} jobs with boto3\n")
            batch = cast(Any, boto3).client(
                "batch",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="demo",
                aws_secret_access_key="demo",
                config=Config(retries={"total_max_attempts": 1}),
            )
            set_up(batch)
            job_ids = submit(batch, folder)
            jobs = watch(batch, job_ids)
            bad = {step: job.get("statusReason") for step, job in jobs.items() if job["status"] != "SUCCEEDED"}
            if bad:
                console.print(f"[red]some jobs failed: {bad}[/red]")
                return 1
            retried = batch.describe_jobs(jobs=[f"{job_ids['measure']}:3"])["jobs"][0]
            report = json.loads((folder / "report.json").read_text())
            show(jobs, retried, report)
        with console.status("checking it in one process"):
            expected = total(map(measure, source_files()))
    if report != expected or len(retried["attempts"]) != 2:
        console.print(f"[red]the report is wrong; one process finds {expected}[/red]")
        return 1
    console.print(
        f"[green]The same figures as computed directly in one process.[/green] {time.monotonic() - started:.0f} s."
    )
    console.print(
        "\nNext: start a server of your own and use it as AWS Batch:\n"
        f"  {os.path.relpath(Path(sys.executable).parent / 'longshore')} server\n"
        "  export AWS_ENDPOINT_URL_BATCH=http://127.0.0.1:8642 AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=http://127.0.0.1:8642\n"
        "  aws batch describe-job-queues\n"
        "README.md walks through a first job.",
        highlight=False,
        markup=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
