"""The same AgentSpeak programs on SPADE: agents of their own that exchange messages over XMPP.

The XMPP server is SPADE's embedded one, bound to loopback only, on a free port unless one is
asked for, and shut down with the run.
"""

import asyncio
import contextlib
import errno
import shutil
import socket
import sys
from pathlib import Path

import agentspeak
import bdi_mind
import loguru
import pyjabber
from agentspeak import stdlib
from pyjabber.plugins.xep_0363 import upload_server
from pyjabber.queues.QueueManager import QueueName, get_queue
from pyjabber.queues.workers.MessageQueueWorker import queue_worker
from pyjabber.queues.workers.ServerConnectionWorker import server_connection_worker
from pyjabber.server import Server
from pyjabber.server_parameters import Parameters
from spade_bdi.bdi import BDIAgent
from spade_bdi.bdi_behaviour import BDIBehaviour

shutil.rmtree(upload_server.TEMP_DIR)  # made by the import alone; the server runs without uploads

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 30.0
REST_S = 0.005


def free_port():
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def check_port(port):
    """End the run with a clear sentence when another process already serves ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise SystemExit(
                f"Port {port} is in use by another program, so the XMPP server cannot start. "
                "Leave --port at 0 for a free one, or end the other program."
            ) from None


def make_server(port, folder):
    """Return pyjabber's server, for clients on loopback only, with its files in ``folder``."""
    certificates = Path(folder) / "xmpp"
    certificates.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("ca_cert.pem", "ca_key.pem"):
        shutil.copy(Path(pyjabber.__file__).parent / "network" / "certs" / name, certificates)
    plain = Parameters()
    server = Server(
        Parameters(
            host="localhost",
            client_port=port,
            server_port=free_port(),
            database_in_memory=True,
            cert_path=str(certificates),
            plugins=[name for name in plain.plugins if "upload" not in name],
            items={key: item for key, item in plain.items.items() if "upload" not in key},
        )
    )
    server._public_ip = None  # pyjabber would also listen on the machine's own address
    return server


class PacedBehaviour(BDIBehaviour):
    """The reasoning cycle, resting while there is nothing to reason about."""

    async def run(self):
        await super().run()
        if not self.agent.bdi_agent.intentions and not self.agent.bdi_intention_buffer:
            await asyncio.sleep(REST_S)


class ProgramAgent(BDIAgent):
    """One .asl program as a SPADE agent. ``world``: None for agents that only talk."""

    def __init__(self, name, port, asl, world):
        self._world = world
        actions = agentspeak.Actions(stdlib.actions)
        super().__init__(f"{name}@localhost", "secret", str(asl), actions, port=port)

    def add_behaviour(self, behaviour, template=None):
        paced = PacedBehaviour() if type(behaviour) is BDIBehaviour else behaviour
        super().add_behaviour(paced, template)

    def add_custom_actions(self, actions):
        if self._world is not None:
            bdi_mind.add_actions(actions, self._world)
        send = actions.lookup(".send", 3)

        def send_by_name(agent, term, intention):
            receiver = agentspeak.grounded(term.args[0], intention.scope)
            name = receiver.functor if isinstance(receiver, agentspeak.Literal) else receiver
            if isinstance(name, str) and "@" not in name:
                name += "@localhost"
            changed = agentspeak.Literal(term.functor, (name, *term.args[1:]), term.annots)
            yield from send(agent, changed, intention)

        actions.actions[(".send", 3)] = send_by_name


async def _serve(server):
    for name in (QueueName.CONNECTIONS, QueueName.MESSAGES, QueueName.SERVERS):
        get_queue(name)
    await asyncio.gather(queue_worker(), server_connection_worker(), server.run_server())


async def _stop(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _play(programs, world, recorder, port, folder):
    server = make_server(port, folder)
    serving = asyncio.create_task(_serve(server))
    agents = []
    try:
        ready = asyncio.create_task(server.ready.wait())
        await asyncio.wait(
            {ready, serving}, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not ready.done():
            ready.cancel()
            raise SystemExit("The XMPP server did not start.")
        for number, (name, asl) in enumerate(programs):
            agent = ProgramAgent(name, port, asl, world if number == 0 else None)
            agents.append(agent)
            if number == 0:
                recorder.agent = agent.bdi_agent
        for agent in reversed(agents):  # those who only listen first
            await agent.start(auto_register=True)
        acting = agents[0]
        while not world.finished:
            if acting.bdi.is_killed() or not acting.is_alive():
                raise SystemExit("The agent ended before its episodes did: see the log above.")
            await asyncio.sleep(REST_S)
    finally:
        for agent in agents:
            if agent.is_alive():
                await agent.stop()
        await _stop(serving)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def run(programs, world, recorder, *, port, folder):
    """Play ``world`` with the first program; the others are agents it can talk to."""
    loguru.logger.remove()
    loguru.logger.add(sys.stderr, level="WARNING")
    if port:
        check_port(port)
    from spade.container import Container

    container = Container()
    try:
        container.loop.run_until_complete(
            _play(programs, world, recorder, port or free_port(), folder)
        )
    finally:
        from pyjabber import AppConfig

        config = getattr(AppConfig, "app_config", None)
        pool = getattr(config, "process_pool_exe", None)
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
