"""Another machine through a real sshd: commands there, copies here, and all that can fail."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ssh_server import SshServer
from waiting import wait_until

from gym_gui.core.errors import DaemonVersionError, GymGuiError, RemoteError, UsageError
from gym_gui.core.paths import DATA_DIR_VARIABLE, DataDir
from gym_gui.services.remote.sources import FarDataDir, TlsSource
from gym_gui.services.remote.ssh import SshTunnel, parse_ssh
from gym_gui.services.remote.visit import fetch, refresh, visit
from gym_gui.services.trainer.client import TrainerClient
from gym_gui.services.trainer.daemon import daemon_status, stop_daemon
from gym_gui.services.trainer.listener import token_path
from gym_gui.telemetry.reader import RunReader


@pytest.fixture(scope="module")
def far_machine(tmp_path_factory):
    """A machine with a data folder of its own, that is this one."""
    folder = tmp_path_factory.mktemp("far")
    data_dir = DataDir(folder / "data")
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    variables = {DATA_DIR_VARIABLE: str(data_dir.root), "XDG_RUNTIME_DIR": str(runtime)}
    server = SshServer(folder / "ssh", environment=variables)
    server.data_dir, server.runtime = data_dir, runtime
    yield server
    server.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        if daemon_status(data_dir).running:
            stop_daemon(data_dir)


@pytest.fixture
def far(far_machine, monkeypatch, gym_gui):
    """Run ``gym-gui --connect ssh://… WORDS…`` here."""
    monkeypatch.setenv("GYM_GUI_SSH", far_machine.client)

    def run(*words: str | Path):
        connect = ["--connect", far_machine.address, "--remote-command", far_machine.command]
        return gym_gui(*connect, *words)

    return run


@pytest.fixture
def far_dir(far_machine, monkeypatch, data_dir) -> FarDataDir:
    monkeypatch.setenv("GYM_GUI_SSH", far_machine.client)
    return FarDataDir(data_dir, far_machine.address, command=far_machine.command)


def test_a_run_trains_there_and_is_replayed_here(far, far_machine, far_dir, data_dir) -> None:
    done = far("demo", "--headless", "--steps", "3000", "--json")
    assert done.returncode == 0, done.stderr
    assert "demo" in far("runs").stdout
    refresh(far_dir)
    (run_dir,) = far_machine.data_dir.runs.iterdir()
    copy = far_dir.run(run_dir.name)
    assert not copy.store.exists()  # the list needs no files
    verified = far("verify", "last")
    assert verified.returncode == 0, verified.stderr
    with RunReader(run_dir / "telemetry.sqlite") as there, RunReader(copy.store) as here:
        assert here.totals() == there.totals()
        assert here.totals()["steps"] == 3000
        episodes = [episode.return_ for episode in there.episodes()]
        assert [episode.return_ for episode in here.episodes()] == episodes
    assert stat.S_IMODE(copy.store.stat().st_mode) == 0o600
    assert copy.stdout.read_bytes() == (run_dir / "stdout.log").read_bytes()
    assert not data_dir.socket.exists()  # no daemon here was needed
    before = copy.store.stat().st_mtime_ns
    fetch(far_dir, run_dir.name)
    assert copy.store.stat().st_mtime_ns == before  # unchanged, so not sent again
    assert far("runs", "delete", "last", "--yes").returncode == 0
    refresh(far_dir)
    assert not copy.root.exists()


def test_the_copy_of_a_run_that_trains_is_whole(far, far_dir, far_machine) -> None:
    started = far("run", "--detach", "--", _forever(far_machine.folder))
    assert started.returncode == 0, started.stderr
    run_id = started.stdout.strip()
    copy = far_dir.run(run_id)
    marks = []

    def grows() -> bool:
        fetch(far_dir, run_id)
        if not copy.store.exists():
            return False
        with RunReader(copy.store) as reader:
            marks.append(reader.totals()["steps"])
            assert len(reader.steps(0, 0, 1_000_000)) == marks[-1]
        return len(set(marks)) > 2

    wait_until(grows, what="three different copies")
    assert marks == sorted(marks)
    assert far("runs", "stop", run_id).returncode == 0
    assert [path.name for path in copy.root.glob(".*")] == []
    there = far_machine.data_dir.run(run_id).root
    assert [path.name for path in there.glob(".copy*")] == []


def _forever(folder: Path) -> Path:
    script = folder / "forever.py"
    script.write_text(
        "import gymnasium, time\n"
        "env = gymnasium.make('CartPole-v1')\n"
        "env.reset(seed=1)\n"
        "while True:\n"
        "    time.sleep(0.001)\n"
        "    if any(env.step(env.action_space.sample())[2:4]): env.reset()\n"
    )
    return script


def test_nothing_stays_when_ssh_ends(far_dir, far_machine) -> None:
    endpoint = far_dir.create().source.connect()
    place = Path(endpoint.target.removeprefix("unix:"))
    assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0
    links = set(Path("/tmp").glob("gym-gui-*.sock"))
    assert links
    far_machine.drop_connections()
    wait_until(lambda: not far_dir.source._tunnel.is_open, what="the end of ssh")
    wait_until(lambda: not links & set(Path("/tmp").glob("gym-gui-*.sock")), what="no link")
    again = far_dir.source.connect()

    async def pid(client: TrainerClient) -> int:
        return (await client.health())["pid"]

    assert again.target == endpoint.target
    assert visit(far_dir, pid) > 0
    assert not place.exists()


def _failure(far_dir: FarDataDir) -> GymGuiError:
    with pytest.raises(GymGuiError) as caught:
        refresh(far_dir)
    assert caught.value.next_step
    assert far_dir.source._tunnel._process is None
    return caught.value


def test_each_way_to_fail_is_said_plainly(far_machine, data_dir, monkeypatch, tmp_path) -> None:
    def failure(address: str = far_machine.address, *, ssh: str = far_machine.client,
                command: str = far_machine.command) -> str:  # fmt: skip
        monkeypatch.setenv("GYM_GUI_SSH", ssh)
        error = _failure(FarDataDir(data_dir, address, command=command))
        assert type(error) is RemoteError
        return error.message

    assert "no-such-ssh cannot be started" in failure(ssh="no-such-ssh")
    assert "no host called" in failure("ssh://no-such-host.invalid")
    assert "No ssh server answers" in failure("ssh://127.0.0.1:1")
    assert "no command no-such-gym-gui" in failure(command="no-such-gym-gui")
    unknown = far_machine.client.replace(str(far_machine.folder / "known_hosts"), "/dev/null")
    assert "host key" in failure(ssh=unknown + " -oStrictHostKeyChecking=yes")
    stranger = far_machine.client.replace(str(far_machine.folder / "user_key"), str(tmp_path))
    assert "does not let you in" in failure(ssh=stranger)
    old = "sh -c 'echo \"Error: No such command attach\" >&2; exit 2' --"
    assert "older than this one" in failure(command=old)
    unusable = f"env {DATA_DIR_VARIABLE}=/proc/nowhere {far_machine.command}"
    assert "/proc/nowhere" in failure(command=unusable)


def test_a_far_daemon_of_another_version_is_said_to_be_one(far_dir, monkeypatch) -> None:
    monkeypatch.setattr("gym_gui.rpc.channel.PROTOCOL", 99)
    assert type(_failure(far_dir)) is DaemonVersionError


def test_a_server_that_forwards_nothing_is_named(far_machine, data_dir, tmp_path, monkeypatch):
    settings = "AllowStreamLocalForwarding no\n"
    variables = {DATA_DIR_VARIABLE: str(far_machine.data_dir.root)}
    variables["XDG_RUNTIME_DIR"] = str(far_machine.runtime)
    server = SshServer(tmp_path / "ssh", settings=settings, environment=variables)
    try:
        monkeypatch.setenv("GYM_GUI_SSH", server.client)
        error = _failure(FarDataDir(data_dir, server.address, command=server.command))
        assert "does not forward" in error.message
    finally:
        server.close()


@pytest.mark.parametrize(
    "text",
    ["ssh://", "ssh://-oProxyCommand=x", "ssh://host:none", "ssh://-l@host", "ssh://a:b@host",
     "ssh://host?x=1", "ssh://a b", "http://host"],
)  # fmt: skip
def test_what_is_no_address_never_reaches_ssh(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_ssh(text)
    assert caught.value.next_step


def test_a_folder_with_a_quote_is_one_word_there(tmp_path: Path) -> None:
    address = parse_ssh("ssh://me@host:2222/data/it's%20mine")
    assert str(address) == "ssh://me@host:2222/data/it's mine"
    assert address.words("-T")[-6:] == ["-p", "2222", "-l", "me", "--", "host"]
    assert address.remote("runs") == "gym-gui --data-dir '/data/it'\"'\"'s mine' runs"
    assert not SshTunnel(address, tmp_path / "socket").is_open


def test_a_listening_daemon_is_reached_without_ssh(gym_gui, data_dir, tmp_path) -> None:
    assert gym_gui("daemon", "start", "--listen", "127.0.0.1:0").returncode == 0
    done = gym_gui("demo", "--headless", "--steps", "1000", "--json")
    assert done.returncode == 0, done.stderr
    address = daemon_status(data_dir).listen
    token = token_path(data_dir).read_text()
    elsewhere = {"GYM_GUI_TOKEN": token, DATA_DIR_VARIABLE: str(tmp_path / "elsewhere")}

    def from_elsewhere(*words: str, **changed: str):
        return gym_gui("--connect", address, *words, **{**elsewhere, **changed})

    assert "demo" in from_elsewhere("runs").stdout
    assert from_elsewhere("verify", "last").returncode == 0
    refused = from_elsewhere("runs", GYM_GUI_TOKEN="wrong")
    assert refused.returncode == 1
    assert "does not accept this token" in refused.stderr
    assert "daemon/token" in refused.stderr
    assert from_elsewhere("demo").returncode == 2
    assert from_elsewhere("runs", "delete", "last", "--yes").returncode == 2
    assert gym_gui("--connect", "nonsense", "runs").returncode == 2


def test_where_the_source_is_tells_what_it_is(data_dir, monkeypatch) -> None:
    address = f"tls://host:1?sha256={'0' * 64}"
    assert isinstance(FarDataDir(data_dir, address).source, TlsSource)
    assert FarDataDir(data_dir, "ssh://h").root != FarDataDir(data_dir, "ssh://h:23").root
