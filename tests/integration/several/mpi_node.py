"""What each node of the OpenMPI job runs: a stand-in for the ssh server that images for MPI jobs bring along.

`mpi_node.py` on a node: the main one waits for the others, starts mpirun over all of them and ends with its exit code;
the others tell the main one where they are and start what mpirun asks for. `mpi_node.py rsh HOST COMMAND...` is what
mpirun calls to start its daemon on a node; `mpi_node.py rank` is the MPI program: each rank tells its node, and rank 0
what it was told by all of them through MPI. Stands alone: only Python's library and OpenMPI's are there.
"""

import ctypes
import os
import shlex
import socket
import subprocess
import sys
import threading
import time

PORT = 7321
WIDTH = 64


def own_address() -> str:
    """Where this node is reached: as it is told, or by its own name."""
    return os.environ.get("LONGSHORE_NODE_ADDRESS") or socket.gethostbyname(socket.gethostname())


def call(address: str, line: str) -> str:
    """Send a line to a node and return its answer; until then the node may still be starting."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection((address, PORT)) as peer, peer.makefile("rw") as file:
                file.write(line + "\n")
                file.flush()
                return file.readline().strip()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def serve(joined: "list[str]") -> None:
    """Answer others for ever: `join ADDRESS` notes a node, anything else is run, and answered with its exit code."""
    server = socket.create_server((own_address(), PORT))

    def answer(peer: socket.socket) -> None:
        with peer, peer.makefile("rw") as file:
            line = file.readline().strip()
            if line.startswith("join "):
                joined.append(line.removeprefix("join "))
                code = 0
            else:
                code = subprocess.run(["/bin/sh", "-c", line], check=False).returncode
            file.write(f"{code}\n")
            file.flush()

    def accept() -> None:
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def run_node() -> int:
    """Be a node until the job is over."""
    joined: list[str] = []
    serve(joined)
    main = os.environ.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS")
    if main is not None:
        call(main, f"join {own_address()}")
        threading.Event().wait()
    count = int(os.environ["AWS_BATCH_JOB_NUM_NODES"])
    while len(joined) < count - 1:
        time.sleep(0.05)
    program = [sys.executable, os.path.abspath(__file__)]
    hosts = ",".join(f"{address}:1" for address in [own_address(), *sorted(joined)])
    settings = {"plm_rsh_agent": shlex.join([*program, "rsh"]), "btl": "tcp,self", "plm_rsh_no_tree_spawn": "1"}
    if own_address().startswith("127."):
        settings["btl_tcp_if_include"] = "lo"
    mca = [word for name, value in settings.items() for word in ("--mca", name, value)]
    command = ["mpirun", "--allow-run-as-root", *mca, "--host", hosts, "-np", str(count), *program, "rank"]
    return subprocess.run(command, check=False).returncode


def run_rank() -> int:
    """Say where this rank is, and gather the same from all through MPI."""
    mpi = ctypes.CDLL("libmpi.so.40", mode=ctypes.RTLD_GLOBAL)
    world = ctypes.byref(ctypes.c_char.in_dll(mpi, "ompi_mpi_comm_world"))
    char = ctypes.byref(ctypes.c_char.in_dll(mpi, "ompi_mpi_char"))
    mpi.MPI_Init(None, None)
    rank, size = ctypes.c_int(), ctypes.c_int()
    mpi.MPI_Comm_rank(world, ctypes.byref(rank))
    mpi.MPI_Comm_size(world, ctypes.byref(size))
    here = f"rank {rank.value} on node {os.environ['AWS_BATCH_JOB_NODE_INDEX']} at {own_address()}"
    print(here, flush=True)
    mine = ctypes.create_string_buffer(here.encode(), WIDTH)
    gathered = ctypes.create_string_buffer(WIDTH * size.value)
    mpi.MPI_Gather(mine, WIDTH, char, gathered, WIDTH, char, 0, world)
    if rank.value == 0:
        for at in range(size.value):
            told = gathered.raw[at * WIDTH : (at + 1) * WIDTH].rstrip(b"\0").decode()
            print(f"gathered {at}: {told}", flush=True)
    return int(mpi.MPI_Finalize())


if __name__ == "__main__":
    if sys.argv[1:2] == ["rsh"]:
        sys.exit(int(call(sys.argv[2], " ".join(sys.argv[3:]))))  # as ssh does it
    sys.exit(run_rank() if sys.argv[1:2] == ["rank"] else run_node())
