"""The TensorBoard and W&B tabs over real files."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import psutil
import pytest
from PySide6 import QtCore, QtGui
from store_samples import write

from gym_gui.core.paths import DataDir
from gym_gui.core.records import RunRecord, RunSpec
from gym_gui.telemetry.batch import EventEntry, RecordBatch
from gym_gui.ui.widgets.tensorboard_tab import TensorBoardTab
from gym_gui.ui.widgets.wandb_tab import WandbTab


def record(cwd: Path) -> RunRecord:
    return RunRecord("run-1", RunSpec("run-1", "cleanrl", [], str(cwd), created_ns=1))


@pytest.fixture
def events(tmp_path: Path) -> Path:
    from torch.utils.tensorboard import SummaryWriter

    folder = tmp_path / "runs" / "one"
    with SummaryWriter(str(folder)) as writer:
        for step in range(50):
            for tag in ("losses/value", "losses/policy", "charts/SPS"):
                writer.add_scalar(tag, step * 1.5, step)
    return folder


@pytest.fixture
def board(qtbot, tmp_path: Path, data_dir: DataDir):
    tab = TensorBoardTab("run-1", record(tmp_path), data_dir=data_dir)
    qtbot.addWidget(tab)
    tab.resize(1200, 600)
    tab.show()
    yield tab
    tab.cleanup()
    assert QtCore.QThreadPool.globalInstance().waitForDone(30_000)


@pytest.mark.torch
def test_the_scalars_of_the_run_are_plotted(qtbot, events: Path, board: TensorBoardTab) -> None:
    qtbot.waitUntil(lambda: board._tags.count() == 3)
    assert board._line.text() == str(events)
    assert [plot.title for plot in board._plots.values()] == [
        f"{tag}   (50 points)" for tag in ("losses/value", "losses/policy", "charts/SPS")
    ]
    board._filter.setText("SPS")
    assert [board._tags.item(row).isHidden() for row in range(3)] == [True, True, False]
    board._tags.clearSelection()
    board._tags.item(2).setSelected(True)
    qtbot.waitUntil(lambda: list(board._plots) == ["charts/SPS"])
    title, values = board._plots["charts/SPS"].values_at(20.4)
    assert (title, values[0][2]) == ("step 20.4", "30")
    board._by.setCurrentIndex(board._by.findData("relative"))
    board._smooth.setValue(10)
    qtbot.waitUntil(lambda: board._plots["charts/SPS"]._titles[0] == "seconds")
    qtbot.waitUntil(lambda: board._found.curves["charts/SPS"].raw is not None)


def test_a_run_without_files_says_so(qtbot, board: TensorBoardTab) -> None:
    qtbot.waitUntil(lambda: not board._asking)
    assert board.nothing.isVisible()
    assert board.nothing.text() == TensorBoardTab.empty
    assert not board._open.isEnabled()


@pytest.mark.torch
def test_tensorboard_itself_listens_on_loopback_and_ends_with_the_tab(
    qtbot, monkeypatch, events: Path, board: TensorBoardTab
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QtGui.QDesktopServices, "openUrl", lambda url: opened.append(url.toString())
    )
    qtbot.waitUntil(board._open.isEnabled)
    board.serve()
    process = board._server
    qtbot.waitUntil(lambda: bool(opened), timeout=60_000)
    assert re.match(r"http://(127\.0\.0\.1|localhost):\d+", opened[0])
    server = psutil.Process(process.processId())
    listening = [c.laddr.ip for c in server.net_connections() if c.status == "LISTEN"]
    assert set(listening) == {"127.0.0.1"}
    board.cleanup()
    assert not server.is_running()


URL = "https://wandb.example/team/cartpole/runs/abc"


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """What the desktop was asked to open."""
    urls: list[str] = []
    monkeypatch.setattr(QtGui.QDesktopServices, "openUrl", lambda url: urls.append(url.toString()))
    return urls


def wandb_file(folder: Path, *, entity: str = "") -> Path:
    """Write what W&B writes of a run: who it is, and one value."""
    folder.mkdir(parents=True)

    def field(number: int, data: bytes) -> bytes:
        tag = number << 3 | 2
        head = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
        return head + bytes([len(data)]) + data

    told = field(1, b"abc") + (field(2, entity.encode()) if entity else b"") + field(3, b"cartpole")
    item = field(1, field(1, b"loss") + field(16, b"1.5")) + field(2, bytes([8, 5]))
    chunks = b""
    for record in (field(17, told), field(2, item)):
        chunks += struct.pack("<IHB", 0, len(record), 1) + record
    path = folder / "run-abc.wandb"
    path.write_bytes(b":W&B\xe1\xbe\x00" + chunks)
    return path


@pytest.fixture
def wandb_tab(qtbot, tmp_path: Path, data_dir: DataDir):
    made = []

    def show() -> WandbTab:
        tab = WandbTab("run-1", record(tmp_path), data_dir=data_dir)
        qtbot.addWidget(tab)
        tab.show()
        made.append(tab)
        qtbot.waitUntil(lambda: tab._tags.count() == 1)
        return tab

    yield show
    for tab in made:
        tab.cleanup()
    assert QtCore.QThreadPool.globalInstance().waitForDone(30_000)


def test_the_page_of_a_run_that_is_online_opens_as_the_run_told_it(
    wandb_tab, opened, tmp_path: Path, data_dir: DataDir
) -> None:
    folder = tmp_path / "wandb" / "run-20260101_000000-abc"
    wandb_file(folder)
    run = data_dir.create().run("run-1")
    run.root.mkdir(parents=True)
    told = {"kind": "wandb", "path": str(folder), "url": URL, "pid": 1}
    write(run.store, RecordBatch("1-a", 1, 1, events=[EventEntry(1, "logger", told)]))
    tab = wandb_tab()
    assert f"online, sent as it trains; {URL}" in tab._line.text()
    assert tab._page_button.toolTip() == URL
    assert not tab._copy.isEnabled(), "there is nothing to sync"
    tab._page_button.click()
    assert opened == [URL]


def test_the_page_of_an_online_run_is_known_by_its_file_where_nobody_told(
    wandb_tab, opened, tmp_path: Path
) -> None:
    wandb_file(tmp_path / "wandb" / "run-20260101_000000-abc", entity="team")
    tab = wandb_tab()
    tab._page_button.click()
    assert opened == ["https://wandb.ai/team/cartpole/runs/abc"]


def test_an_online_run_whose_page_is_not_known_says_so(wandb_tab, opened, tmp_path: Path) -> None:
    wandb_file(tmp_path / "wandb" / "run-20260101_000000-abc")
    tab = wandb_tab()
    assert "its page is not known here" in tab._line.text()
    assert "W&B has not told" in tab._page_button.toolTip()
    assert not tab._page_button.isEnabled()
    tab._open_page()
    assert opened == []


def test_an_offline_run_has_a_page_once_it_was_synced(wandb_tab, opened, tmp_path: Path) -> None:
    path = wandb_file(tmp_path / "wandb" / "offline-run-20260101_000000-abc", entity="team")
    tab = wandb_tab()
    assert not tab._page_button.isEnabled()
    assert "sync command" in tab._page_button.toolTip()
    path.with_suffix(".wandb.synced").touch()
    tab_again = wandb_tab()
    assert tab_again._page_button.isEnabled()
    assert "sent to W&B" in tab_again._line.text()


def test_an_offline_run_of_wandb_is_plotted(qtbot, tmp_path: Path, data_dir: DataDir) -> None:
    folder = tmp_path / "wandb" / "offline-run-20260101_000000-abc"
    folder.mkdir(parents=True)
    item = b"\x12\x04loss\x82\x01\x031.5"
    body = b"\x0a" + bytes([len(item)]) + item + b"\x12\x02\x08\x05"
    entry = b"\x12" + bytes([len(body)]) + body
    chunk = struct.pack("<IHB", 0, len(entry), 1) + entry
    (folder / "run-abc.wandb").write_bytes(b":W&B\xe1\xbe\x00" + chunk)
    tab = WandbTab("run-1", record(tmp_path), data_dir=data_dir)
    qtbot.addWidget(tab)
    tab.show()
    qtbot.waitUntil(lambda: tab._tags.count() == 1)
    assert "not sent to W&B" in tab._line.text()
    assert list(tab._plots) == ["loss"]
    tab._copy_command()
    assert QtGui.QGuiApplication.clipboard().text() == f"wandb sync {folder}"
    tab.cleanup()
