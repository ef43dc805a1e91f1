"""HyperQueue through its Python interface. Usage: hyperqueue_tasks.py COUNT CPUS FOLDER COMMAND...; prints seconds.

A program of its own: the server and the worker live in threads that end with the process.
"""

import os
import sys
import time
from importlib import import_module
from pathlib import Path

# Installed for `make bench` alone, and without types.
hyperqueue = import_module("hyperqueue")
hyperqueue_cluster = import_module("hyperqueue.cluster")


def main() -> None:
    """Run the tasks, output kept in files as is its default; submission and wait are counted, start-up is not."""
    count, cpus, folder, command = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
    os.chdir(folder)
    with hyperqueue.LocalCluster(str(folder / "server"), hyperqueue_cluster.WorkerConfig(cores=cpus)) as cluster:
        client = cluster.client()
        warm_up = hyperqueue.Job()
        warm_up.program(command)
        client.wait_for_jobs([client.submit(warm_up)])
        began = time.perf_counter()
        job = hyperqueue.Job()
        for _ in range(count):
            job.program(command)
        client.wait_for_jobs([client.submit(job)])
        print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
