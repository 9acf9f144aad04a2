"""A daemon and its caller on two hosts with addresses of their own: network namespaces.

    python tests/stress/far_hosts.py            as root; takes some seconds
    python tests/stress/far_hosts.py --ray      a Ray on the far host, too; a minute

The daemon listens on one host's address only. From the other: its token opens it, a wrong one and a
wrong fingerprint do not, a run that is started there is listed, replayed and verified here; nothing
else of ours listens there; and once the link is cut, the caller is told so. With --ray, two runs
train on a Ray of the far host, and publish to a daemon on the near one over the cable.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FAR, NEAR = "gym-gui-far", "gym-gui-near"
FAR_IP, NEAR_IP = "10.77.0.1", "10.77.0.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def two_hosts() -> Iterator[None]:
    """Two namespaces joined by a cable."""
    try:
        for name in (FAR, NEAR):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "ggfar", "netns", FAR, "type", "veth", "peer", "ggnear", "netns", NEAR)
        for name, link, address in ((FAR, "ggfar", FAR_IP), (NEAR, "ggnear", NEAR_IP)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", link, "up")
        yield
    finally:
        for name in (FAR, NEAR):
            subprocess.run(["ip", "netns", "delete", name], check=False)


def on(host: str, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call gym-gui on a host that keeps its data under ``folder``."""
    places = {
        "GYM_GUI_DATA_DIR": str(folder / "data"),
        "XDG_RUNTIME_DIR": str(folder),
        "HOME": str(folder),
    }
    return subprocess.run(
        ["ip", "netns", "exec", host, sys.executable, "-m", "gym_gui", *words],
        env={**os.environ, **places, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def check(holds: bool, what: str, shown: object = "") -> None:
    print(f"{'ok  ' if holds else 'NOT '} {what}")
    if not holds:
        raise SystemExit(f"{shown}")


def check_calls(far: Path, near: Path) -> None:
    started = on(FAR, far, "daemon", "start", "--listen", f"{FAR_IP}:0")
    found = re.search(r"tls://\S+?sha256=[0-9a-f]{64}", started.stdout)
    check(found is not None, "the daemon says where it listens", started)
    assert found is not None
    address = found[0]
    token = (far / "data" / "daemon" / "token").read_text().strip()
    demo = on(FAR, far, "demo", "--headless", "--steps", "2000")
    check(demo.returncode == 0, "a run on the far host", demo)

    def call(*words: str, to: str = address, token: str = token):
        return on(NEAR, near, "--connect", to, *words, GYM_GUI_TOKEN=token)

    listed = call("runs", "--json")
    check(listed.returncode == 0, "its token opens it", listed)
    (run,) = json.loads(listed.stdout)
    check(run["steps"] == 2000, "the run is listed with all its steps", run)
    verified = call("verify", "last")
    check(verified.returncode == 0, "and is verified here, on a copy", verified)
    check("token" in call("runs", token="wrong").stderr, "a wrong token does not")
    other = call("runs", to=address[:-1] + ("0" if address[-1] != "0" else "1"))
    check("certificate" in other.stderr, "nor does another certificate", other)
    port = address.partition("?")[0].rpartition(":")[2]
    command = ["ip", "netns", "exec", FAR, "cat", "/proc/net/tcp", "/proc/net/tcp6"]
    sockets = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in sockets.splitlines()]
    # State 0A listens; an IPv4 address is the last four bytes of an IPv6 socket's, too.
    listening = [row[1][-13:] for row in rows if row[3] == "0A"]
    wanted = "".join(f"{int(part):02X}" for part in reversed(FAR_IP.split(".")))
    check(listening == [f"{wanted}:{int(port):04X}"], "nothing else listens there", listening)
    ip("-n", FAR, "link", "set", "ggfar", "down")
    cut = call("runs")
    check(cut.returncode == 1, "a cut link is an error", cut)
    check("Traceback" not in cut.stderr, "in plain words", cut)
    print(cut.stderr.strip())


def check_ray(far: Path, near: Path) -> None:
    variables = {
        **os.environ,
        "RAY_TMPDIR": str(far),
        "HOME": str(far),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    words = ["ray", "start", "--head", "--disable-usage-stats", "--num-cpus", "2"]
    words += ["--node-ip-address", FAR_IP, "--dashboard-host", FAR_IP]
    words += ["--dashboard-port", "8265", "--block"]
    log = open(far / "ray.log", "wb")  # noqa: SIM115 - closed below, with the cluster
    ray = subprocess.Popen(
        ["ip", "netns", "exec", FAR, *words], env=variables, stdout=log, stderr=log
    )
    try:
        listening = on(NEAR, near, "daemon", "start", "--listen", f"{NEAR_IP}:0")
        check(listening.returncode == 0, "a daemon on the near host", listening)
        launcher = f"http://{FAR_IP}:8265?retries=0&python={sys.executable}"
        run = ("run", "--headless", "--launcher", launcher, "--sweep", "seed=1-2")
        example = Path(__file__).resolve().parents[2] / "examples" / "random_agent.py"
        swept: subprocess.CompletedProcess[str] | None = None
        for _ in range(20):  # until Ray's dashboard answers
            swept = on(NEAR, near, *run, "--", str(example), "--episodes", "5")
            if "No Ray answers" not in swept.stderr:
                break
        check(swept is not None and swept.returncode == 0, "a sweep on the far host's Ray", swept)
        runs = json.loads(on(NEAR, near, "runs", "--json").stdout)
        ended = [(one["state"], one["episodes"]) for one in runs if one["steps"]]
        check(ended == [("finished", 5)] * 2, "all of their rows are here", runs)
    finally:
        on(NEAR, near, "daemon", "stop")
        ray.terminate()
        ray.wait(timeout=60)
        log.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gg-") as folder, two_hosts():
        far, near = Path(folder, "far"), Path(folder, "near")
        far.mkdir(0o700)
        near.mkdir(0o700)
        try:
            if "--ray" in sys.argv:
                check_ray(far, near)
            check_calls(far, near)
        finally:
            on(FAR, far, "daemon", "stop")


if __name__ == "__main__":
    main()
