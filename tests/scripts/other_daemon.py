"""Stands for a daemon of another version: serves a data folder, and speaks another protocol.

other_daemon.py DATA_DIR: until SIGTERM.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys

from grpc import aio

from gym_gui.core.paths import DataDir
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.channel import PROTOCOL
from gym_gui.rpc.trainer_pb2_grpc import (
    TrainerServiceServicer,
    add_TrainerServiceServicer_to_server,
)
from gym_gui.services.trainer.daemon import daemon_address


class Older(TrainerServiceServicer):
    async def GetHealth(self, request, context):
        return pb.Health(json=json.dumps({"version": "0.0.1", "protocol": PROTOCOL - 1}))


async def serve(data_dir: DataDir) -> None:
    lock = os.open(data_dir.daemon / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    server = aio.server()
    add_TrainerServiceServicer_to_server(Older(), server)
    target = daemon_address(data_dir).target
    server.add_insecure_port(target)
    await server.start()
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "target": target}).encode(), 0)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await server.stop(0)
    data_dir.socket.unlink(missing_ok=True)
    os.ftruncate(lock, 0)


asyncio.run(serve(DataDir(sys.argv[1]).create()))
