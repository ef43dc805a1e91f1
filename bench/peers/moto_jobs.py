"""moto's server running Batch jobs in Docker. Usage: moto_jobs.py COUNT IMAGE COMMAND...; prints seconds."""

import sys
import time
from importlib import import_module
from typing import Any, cast

import boto3

# Installed for `make bench` alone.
moto_server = import_module("moto.server")


def main() -> None:
    """Submit the jobs one by one, wait until all have ended; moto gives each a thread and a container."""
    count, image, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    server = moto_server.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "endpoint_url": f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}",
        "region_name": "us-east-1",
        "aws_access_key_id": "bench",
        "aws_secret_access_key": "bench",
    }
    client = cast(Any, boto3).client
    role = client("iam", **options).create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    batch = client("batch", **options)
    batch.create_compute_environment(computeEnvironmentName="environment", type="UNMANAGED", serviceRole=role)
    order = [{"order": 1, "computeEnvironment": "environment"}]
    batch.create_job_queue(jobQueueName="queue", state="ENABLED", priority=1, computeEnvironmentOrder=order)
    container = {"image": image, "command": command, "vcpus": 1, "memory": 128}
    batch.register_job_definition(jobDefinitionName="true", type="container", containerProperties=container)
    began = time.perf_counter()
    ids = [
        batch.submit_job(jobName=f"job-{number}", jobQueue="queue", jobDefinition="true")["jobId"]
        for number in range(count)
    ]
    while ids:
        jobs = [job for at in range(0, len(ids), 100) for job in batch.describe_jobs(jobs=ids[at : at + 100])["jobs"]]
        failed = [job for job in jobs if job["status"] == "FAILED"]
        if failed:
            raise SystemExit(f"{len(failed)} jobs failed, the first: {failed[0].get('statusReason')}")
        ids = [job["jobId"] for job in jobs if job["status"] != "SUCCEEDED"]
        time.sleep(0.1)
    print(time.perf_counter() - began)
    server.stop()


if __name__ == "__main__":
    main()
