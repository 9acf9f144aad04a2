"""The daemon over TCP: who gets in, who does not, and what the others are told."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import socket
import stat
import sys
from pathlib import Path

import grpc
import psutil
import pytest
from grpc import aio
from waiting import wait_until

from gym_gui.core.errors import (
    AccessError,
    CertificateError,
    DaemonError,
    DaemonVersionError,
    GymGuiError,
    UsageError,
)
from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunSpec
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.channel import open_channel
from gym_gui.rpc.endpoint import Endpoint, parse_endpoint
from gym_gui.rpc.trainer_pb2_grpc import TrainerServiceStub
from gym_gui.services.trainer.access import Tokens, load_certificate
from gym_gui.services.trainer.client import TrainerClient
from gym_gui.services.trainer.daemon import daemon_status, ensure_daemon, stop_daemon
from gym_gui.services.trainer.listener import token_path


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A daemon that listens on loopback."""
    data_dir = DataDir(tmp_path_factory.mktemp("listen") / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        ensure_daemon(data_dir, listen="127.0.0.1:0")
        yield data_dir
        stop_daemon(data_dir)


@pytest.fixture
def endpoint(served, monkeypatch) -> Endpoint:
    """Where the daemon is, with the owner's token."""
    monkeypatch.setenv("GYM_GUI_TOKEN", token_path(served).read_text())
    return parse_endpoint(daemon_status(served).listen, os.environ)


def _spec(run_id: str) -> RunSpec:
    return RunSpec(run_id, "script", [sys.executable, "-c", "pass"], "/")


def _error(endpoint: Endpoint, call) -> GymGuiError:
    async def run() -> None:
        async with TrainerClient(endpoint) as client:
            await call(client)

    with pytest.raises(GymGuiError) as caught:
        asyncio.run(run())
    assert caught.value.next_step
    return caught.value


def test_the_owner_gets_in_and_runs_something(endpoint, served) -> None:
    async def run() -> str:
        async with TrainerClient(endpoint) as client:
            assert (await client.health())["pid"] == daemon_status(served).pid
            await client.submit_run(_spec("over-tcp"))
            async for record in client.watch_runs():
                if record.run_id == "over-tcp" and record.state.is_final:
                    return record.state.value
        return ""

    assert asyncio.run(run()) == "finished"


@pytest.mark.parametrize("token", ["", "wrong", "x" * 4000])
def test_no_call_is_answered_without_the_token(endpoint, token: str) -> None:
    stranger = Endpoint(endpoint.target, token, endpoint.fingerprint)
    assert type(_error(stranger, lambda client: client.health())) is AccessError
    submitted = _error(stranger, lambda client: client.submit_run(_spec("by-nobody")))
    assert type(submitted) is AccessError

    async def known() -> list[str]:
        async with TrainerClient(endpoint) as client:
            return [record.run_id for record in await client.list_runs()]

    assert "by-nobody" not in asyncio.run(known())


def test_a_stream_without_the_token_ends_at_once_and_unread(endpoint) -> None:
    stranger = Endpoint(endpoint.target, "wrong", endpoint.fingerprint)

    async def run() -> grpc.StatusCode:
        async with open_channel(stranger) as channel:
            call = TrainerServiceStub(channel).PublishRunSteps()
            with pytest.raises(aio.AioRpcError) as caught:  # nothing was sent, and it answers
                await call.read()
            return caught.value.code()

    assert asyncio.run(run()) is grpc.StatusCode.UNAUTHENTICATED


def test_a_runs_token_opens_its_own_run_and_nothing_else(endpoint, served) -> None:
    token = Tokens(token_path(served)).of_run("mine")
    limited = Endpoint(endpoint.target, token, endpoint.fingerprint)

    async def codes() -> list[grpc.StatusCode]:
        found = []
        async with open_channel(limited) as channel:
            stub = TrainerServiceStub(channel)
            hello = pb.Publication(hello=pb.Hello(run_id="other", channel="1"))
            for call in (
                stub.SubmitRun(pb.SubmitRunRequest(spec_json="{}")),
                stub.ListRuns(pb.Empty()),
                stub.FetchRun(pb.FetchRequest(run_id="mine")),
                stub.RegisterWorker(pb.WorkerHello(run_id="other")),
                stub.Heartbeat(pb.WorkerHello(run_id="mine")),
                stub.PublishRunSteps(iter([hello])),
            ):
                try:
                    await (call if hasattr(call, "__await__") else call.read())
                except aio.AioRpcError as error:
                    found.append(error.code())
        return found

    denied = grpc.StatusCode.PERMISSION_DENIED
    assert asyncio.run(codes()) == [*[denied] * 4, grpc.StatusCode.NOT_FOUND, denied]


@pytest.mark.parametrize("altered", ["mine", "other.", "mine.0", ".", ""])
def test_an_altered_runs_token_is_none(tmp_path: Path, altered: str) -> None:
    tokens = Tokens(tmp_path / "token")
    digest = tokens.of_run("mine").rpartition(".")[2]
    assert tokens.run_of(tokens.of_run("mine")) == "mine"
    assert tokens.run_of(altered) == ""
    assert tokens.run_of(f"other.{digest}") == ""
    assert not tokens.is_owners(tokens.of_run("mine"))


def test_what_proves_the_daemon_is_its_owners_alone(served) -> None:
    secret = [token_path(served), served.daemon / "tls" / "key-and-certificate.pem"]
    for path in [*secret, *served.daemon.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, (path, oct(mode))


def test_another_certificate_than_the_pinned_one_is_refused(endpoint) -> None:
    changed = Endpoint(endpoint.target, endpoint.token, "0" * 64)
    error = _error(changed, lambda client: client.health())
    assert type(error) is CertificateError
    assert "not the expected one" in error.message


def test_the_certificates_file_serves_instead_of_its_fingerprint(endpoint, served, tmp_path):
    certificate = served.daemon / "tls" / "certificate.pem"
    variables = {"GYM_GUI_TOKEN": endpoint.token, "GYM_GUI_CA_FILE": str(certificate)}
    by_file = parse_endpoint(f"tls://{endpoint.target}", variables)

    async def run() -> int:
        async with TrainerClient(by_file) as client:
            return (await client.health())["pid"]

    assert asyncio.run(run()) == daemon_status(served).pid
    other = load_certificate(tmp_path)
    stranger = Endpoint(endpoint.target, endpoint.token, ca=other.certificate)
    error = _error(stranger, lambda client: client.health())
    assert type(error) is CertificateError
    assert "not trusted" in error.message


def test_an_expired_certificate_is_said_to_be_one(tmp_path: Path) -> None:
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    old = load_certificate(tmp_path, now=long_ago)

    async def run() -> None:
        server = aio.server()
        port = server.add_secure_port(
            "127.0.0.1:0", grpc.ssl_server_credentials([(old.key, old.certificate)])
        )
        await server.start()
        try:
            async with TrainerClient(Endpoint(f"127.0.0.1:{port}", "", old.fingerprint)):
                pass
        finally:
            await server.stop(None)

    with pytest.raises(CertificateError, match="not valid today"):
        asyncio.run(run())


def test_a_certificate_that_ends_soon_is_renewed(tmp_path: Path) -> None:
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    first = load_certificate(tmp_path, now=start)
    assert load_certificate(tmp_path, now=start + datetime.timedelta(days=700)) == first
    later = load_certificate(tmp_path, now=start + datetime.timedelta(days=800))
    assert later.fingerprint != first.fingerprint


def test_nothing_at_the_address_and_no_such_host_are_told_apart(endpoint) -> None:
    for target, words in (
        ("127.0.0.1:1", "No daemon answers"),
        ("no-such-host.invalid:7788", "no host called no-such-host.invalid"),
    ):
        error = _error(Endpoint(target, "", "0" * 64), lambda client: client.health())
        assert type(error) is DaemonError
        assert words in error.message


def test_a_daemon_of_another_protocol_is_told_by_its_versions(monkeypatch, endpoint) -> None:
    monkeypatch.setattr("gym_gui.rpc.channel.PROTOCOL", 99)
    error = _error(endpoint, lambda client: client.health())
    assert type(error) is DaemonVersionError
    assert "same version" in error.next_step


@pytest.mark.parametrize(
    "text",
    ["tls://host", "tls://:7788?sha256=" + "0" * 64, "tls://h:1", "tls://h:1?sha256=12",
     "http://h:1?sha256=" + "0" * 64, "tls://h:1?sha256=" + "0" * 64 + "&x=1"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text, {})
    assert caught.value.next_step


def test_a_message_that_is_no_specification_is_refused(endpoint) -> None:
    async def run(text: str) -> grpc.StatusCode:
        async with open_channel(endpoint) as channel:
            with pytest.raises(aio.AioRpcError) as caught:
                await TrainerServiceStub(channel).SubmitRun(pb.SubmitRunRequest(spec_json=text))
            return caught.value.code()

    whole = _spec("x").to_dict()
    for text in ("", "[]", "{}", json.dumps({**whole, "command": [1]}),
                 json.dumps({**whole, "run_id": "../../up"})):  # fmt: skip
        code = asyncio.run(run(text))
        assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)


def _listening(pid: int) -> list[int]:
    found = psutil.Process(pid).net_connections("tcp")
    return [one.laddr.port for one in found if one.status == psutil.CONN_LISTEN]


def test_it_listens_only_when_asked_and_comes_back_where_it_was(gym_gui, data_dir) -> None:
    assert gym_gui("daemon", "start").returncode == 0
    assert _listening(daemon_status(data_dir).pid) == []
    assert gym_gui("daemon", "stop").returncode == 0
    shown = gym_gui("daemon", "start", "--listen", "127.0.0.1:0").stdout
    first = daemon_status(data_dir)
    assert first.listen in shown
    assert _listening(first.pid) == [parse_endpoint(first.listen, {}).host_and_port[1]]
    os.kill(first.pid, 9)
    wait_until(lambda: daemon_status(data_dir).pid == 0)
    assert gym_gui("daemon", "start").returncode == 0
    assert daemon_status(data_dir).listen == first.listen
    assert gym_gui("daemon", "stop").returncode == 0
    assert gym_gui("daemon", "start").returncode == 0
    assert daemon_status(data_dir).listen == ""


def test_an_address_that_cannot_be_listened_at_is_an_error(gym_gui) -> None:
    done = gym_gui("daemon", "start", "--listen", "192.0.2.1:7788")
    assert done.returncode == 1
    assert "cannot listen at 192.0.2.1:7788: cannot assign" in done.stderr
    assert gym_gui("daemon", "start", "--listen", "everywhere").returncode == 2


def test_a_port_in_use_is_said_to_be(gym_gui) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = gym_gui("daemon", "start", "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port}: address already in use" in done.stderr
