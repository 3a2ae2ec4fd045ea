"""Functions in two processes, as those that Fabric starts."""

import os
import socket

import torch
from running import Process

from infomin.training.distributed import make_fabric


def join(rank, port):
    """Become one of two processes, as those that fabric starts are."""
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "GLOO_SOCKET_IFNAME": "lo"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    fabric = make_fabric("cpu", 2, "32-true")
    fabric.launch()
    assert (fabric.world_size, fabric.global_rank) == (2, rank)
    return fabric


def together(folder, function, *arguments):
    """Run a function in two processes; return what each saved."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    paths = [folder / f"{rank}.pt" for rank in (0, 1)]
    processes = [
        Process(folder / f"log {rank}", function, rank, port, path, *arguments)
        for rank, path in enumerate(paths)
    ]
    for process in processes:
        assert process.wait() == 0, process.err
        assert process.err == ""
    return [torch.load(path) for path in paths]
