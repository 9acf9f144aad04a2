"""The ring inside one process: what is written is what is read, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gym_gui.core.errors import FrameShapeError, RingError
from gym_gui.fastlane import (
    Control,
    Demand,
    FastLaneConfig,
    FastLaneMetrics,
    FastLaneReader,
    FastLaneState,
    FastLaneWriter,
    PixelFormat,
    rings,
    sweep,
)
from gym_gui.fastlane import layout as lay

METRICS = FastLaneMetrics(1.5, -2.25, 60.0)


def picture(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def ring(tmp_path: Path, frame: np.ndarray, **options: object) -> FastLaneWriter:
    height, width, channels = frame.shape
    config = FastLaneConfig(width, height, channels)
    return FastLaneWriter.create("run", config, ring_dir=tmp_path, **options)  # type: ignore[arg-type]


def shown(frame: object) -> np.ndarray:
    rows = np.frombuffer(frame.data, np.uint8).reshape(frame.height, frame.row_stride)  # type: ignore[attr-defined]
    used = frame.width * frame.channels  # type: ignore[attr-defined]
    return rows[:, :used].reshape(frame.height, frame.width, frame.channels)  # type: ignore[attr-defined]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_a_frame_comes_out_as_it_went_in_with_its_hud(
    tmp_path: Path, channels: int, crc: bool, slots: int
) -> None:
    pixels = picture(5, 7, channels)
    with (
        ring(tmp_path, pixels, crc=crc, slots=slots) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        assert reader.latest_frame() == (FastLaneState.IDLE, None)
        for number in range(1, 10):
            pixels = picture(5, 7, channels, number)
            assert writer.publish(pixels, metrics=METRICS, step=number, episode=3) == number
            state, frame = reader.latest_frame()
            assert state is FastLaneState.FRAME
            assert frame is not None
            np.testing.assert_array_equal(shown(frame), pixels)
            assert (frame.metrics, frame.step, frame.episode) == (METRICS, number, 3)
            assert frame.number == number
        assert reader.latest_frame() == (FastLaneState.IDLE, None)


@pytest.mark.parametrize(
    "turn",
    [
        lambda a: a[::-1],
        lambda a: a[:, ::-1],
        lambda a: np.ascontiguousarray(a.transpose(1, 0, 2)).transpose(1, 0, 2),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a.tobytes(),
    ],
    ids=["flipped", "mirrored", "columns first", "every second", "bytes"],
)
def test_any_memory_order_gives_the_same_picture(tmp_path: Path, turn: object) -> None:
    pixels = picture(6, 4, 3)
    given_frame = turn(pixels)  # type: ignore[operator]
    wanted = pixels if isinstance(given_frame, bytes) else np.ascontiguousarray(given_frame)
    with (
        ring(tmp_path, pixels) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        writer.publish(given_frame)
        _, frame = reader.latest_frame()
        np.testing.assert_array_equal(shown(frame), wanted)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 6, 3), np.uint8),
        np.zeros((6, 4, 4), np.uint8),
        np.zeros((6, 4, 3), np.float32),
        np.zeros((6, 4, 3), np.int8),
        np.zeros((6, 4, 3), bool),
        b"short",
        "text",
        None,
    ],
)
def test_a_wrong_frame_raises_before_a_byte_is_written(tmp_path: Path, wrong: object) -> None:
    pixels = picture(6, 4, 3)
    with ring(tmp_path, pixels) as writer:
        writer.publish(pixels)
        before = writer.path.read_bytes()
        with pytest.raises(FrameShapeError):
            writer.publish(wrong)
        with pytest.raises(FrameShapeError):
            writer.publish(pixels, pixel_format=PixelFormat.BGRX)
        assert writer.path.read_bytes() == before


def test_a_surface_with_padded_rows_is_copied_without_its_padding(tmp_path: Path) -> None:
    pixels = picture(3, 5, 4)
    padded = np.zeros((3, 32), np.uint8)
    padded[:, :20] = pixels.reshape(3, 20)
    with (
        ring(tmp_path, pixels) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        writer.publish_rows(
            memoryview(padded).cast("B"), 32, metrics=METRICS, step=1, episode=0,
            pixel_format=PixelFormat.BGRX,
        )  # fmt: skip
        _, frame = reader.latest_frame()
        assert frame is not None
        assert frame.pixel_format is PixelFormat.BGRX
        np.testing.assert_array_equal(shown(frame), pixels)


def draw_half(writer: FastLaneWriter) -> None:
    with writer.loan() as target:
        target[0] = 1
        raise RuntimeError


def test_a_loan_is_published_when_it_ends_and_given_back_when_it_fails(tmp_path: Path) -> None:
    pixels = picture(2, 2, 3)
    with (
        ring(tmp_path, pixels) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        with pytest.raises(RuntimeError):
            draw_half(writer)
        assert reader.latest_frame()[0] is FastLaneState.IDLE
        with writer.loan(metrics=METRICS) as target:
            target[:] = pixels.tobytes()
        _, frame = reader.latest_frame()
        np.testing.assert_array_equal(shown(frame), pixels)


def test_a_new_size_is_a_new_generation_and_readers_are_told(tmp_path: Path) -> None:
    with ring(tmp_path, picture(4, 4, 3)) as writer:
        reader = FastLaneReader.attach("run", ring_dir=tmp_path)
        writer.publish(picture(4, 4, 3))
        assert reader.latest_frame()[0] is FastLaneState.FRAME
        writer.resize(FastLaneConfig(9, 8, 3))
        assert reader.latest_frame() == (FastLaneState.REPLACED, None)
        reader.close()
        with FastLaneReader.attach("run", ring_dir=tmp_path) as reader:
            pixels = picture(8, 9, 3)
            writer.publish(pixels)
            np.testing.assert_array_equal(shown(reader.latest_frame()[1]), pixels)


def test_closing_tells_readers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    writer = ring(tmp_path, picture(4, 4, 3))
    reader = FastLaneReader.attach("run", ring_dir=tmp_path)
    writer.close()
    writer.close()
    assert reader.latest_frame() == (FastLaneState.CLOSED, None)
    reader.close()
    reader.close()
    assert rings("run", tmp_path) == []
    assert list((tmp_path / "run").iterdir()) == []
    with pytest.raises(RingError, match="shows no live frames"):
        FastLaneReader.attach("run", ring_dir=tmp_path)


def test_writer_reader_and_sweep_live_in_one_process(tmp_path: Path) -> None:
    with ring(tmp_path, picture(4, 4, 3)) as writer:
        with FastLaneReader.attach("run", ring_dir=tmp_path) as reader:
            assert sweep(tmp_path) == 0
            assert reader.latest_frame()[0] is FastLaneState.IDLE
        pid = os.fork()
        if pid == 0:  # another process must still see the lock after our own probes
            os._exit(sweep(tmp_path))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert writer.path.exists()


def test_a_forked_copy_of_the_writer_refuses_to_publish(tmp_path: Path) -> None:
    pixels = picture(4, 4, 3)
    with ring(tmp_path, pixels) as writer:
        pid = os.fork()
        if pid == 0:
            try:
                writer.publish(pixels)
            except RingError:
                writer.close()
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert writer.path.exists()
        assert writer.publish(pixels) == 1


def test_only_the_owner_may_read_a_ring_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with ring(tmp_path, picture(4, 4, 3)) as writer:
            modes = [writer.path, writer.path.with_suffix(".lock"), writer.path.parent]
            assert [path.stat().st_mode & 0o777 for path in modes] == [0o600, 0o600, 0o700]
    finally:
        os.umask(old)


# -- demand and control --------------------------------------------------------------------------


def test_the_demand_is_the_maximum_of_the_viewers_and_ends_with_them(tmp_path: Path) -> None:
    with ring(tmp_path, picture(4, 4, 3)) as writer:
        assert writer.demand() == Demand()
        viewers = [FastLaneReader.attach("run", ring_dir=tmp_path) for _ in range(5)]
        assert viewers[0].lease(30.0, 0.05, 10.0)
        assert viewers[1].lease(60.0, 0.02, 10.0)
        assert writer.demand() == Demand(60.0, 0.05)
        assert viewers[2].lease(1.0, 0.01, 10.0)
        assert viewers[3].lease(1.0, 0.01, 10.0)
        assert not viewers[4].lease(99.0, 0.9, 10.0)
        viewers[1].release()
        assert writer.demand() == Demand(30.0, 0.05)
        assert viewers[4].lease(99.0, 0.9, 10.0)
        for viewer in viewers:
            viewer.close()
        assert writer.demand() == Demand()


def test_leases_and_control_lapse_with_their_deadline(tmp_path: Path) -> None:
    with (
        ring(tmp_path, picture(4, 4, 3)) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        reader.lease(30.0, 0.05, 5.0)
        reader.set_control(True, 12.5, 5.0)
        words = writer._words
        now = words[lay.W_CONTROL + 1] - 1
        assert writer.look(now - 10**9) == (Demand(30.0, 0.05), Control(True, 12.5))
        assert writer.look(now + 10**7) == (Demand(), Control())


def test_a_viewer_gives_up_only_its_own_control(tmp_path: Path) -> None:
    with ring(tmp_path, picture(4, 4, 3)) as writer:
        first = FastLaneReader.attach("run", ring_dir=tmp_path)
        second = FastLaneReader.attach("run", ring_dir=tmp_path)
        first.set_control(True, 0.0, 10.0)
        second.set_control(False, 5.0, 10.0)
        first.close()
        assert writer.control() == Control(False, 5.0)
        second.close()
        assert writer.control() == Control()


def test_a_hostile_lease_asks_for_nothing_absurd(tmp_path: Path) -> None:
    with (
        ring(tmp_path, picture(4, 4, 3)) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        reader.lease(float("nan"), float("inf"), 10.0)
        assert writer.demand() == Demand()
        reader.lease(1e12, -1.0, 10.0)
        assert writer.demand() == Demand(1000.0, 0.0)
        reader.set_control(True, 0.0, 1e8)  # a deadline years away is refused
        assert writer.control() == Control()


def test_the_live_hud_is_read_whole(tmp_path: Path) -> None:
    with (
        ring(tmp_path, picture(4, 4, 3)) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        assert reader.live_hud() is None
        writer.set_hud(METRICS, step=9)
        assert reader.live_hud() == METRICS
        writer._words[lay.W_HUD] |= 1  # a writer that died while writing
        assert reader.live_hud() is None


def test_why_there_are_no_pictures_is_read_whole_and_taken_back(tmp_path: Path) -> None:
    with (
        ring(tmp_path, picture(4, 4, 3)) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        assert reader.cannot_draw() == ""
        writer.cannot_draw("its render() gives no picture · kein Bild")
        assert reader.cannot_draw() == "its render() gives no picture · kein Bild"
        writer.cannot_draw("ä" * 2000)
        assert reader.cannot_draw() == "ä" * (lay.REASON_BYTES // 2)
        writer._bytes[lay.REASON_FROM] ^= 1  # stores seen out of order
        assert reader.cannot_draw() == ""
        writer._words[lay.W_REASON] |= 1  # a writer that died while writing
        assert reader.cannot_draw() == ""
        writer.cannot_draw("")
        assert reader.cannot_draw() == ""


def test_viewers_of_different_environments_are_all_shown_theirs(tmp_path: Path) -> None:
    with ring(tmp_path, picture(4, 4, 3)) as writer:
        first = FastLaneReader.attach("run", ring_dir=tmp_path)
        second = FastLaneReader.attach("run", ring_dir=tmp_path)
        first.lease(30.0, 0.05, 10.0)
        assert writer.demand().view == lay.VIEW_DEFAULT
        first.lease(30.0, 0.05, 10.0, lay.VIEW_ONE + 7)
        assert writer.demand().view == lay.VIEW_ONE + 7
        second.lease(30.0, 0.05, 10.0, lay.VIEW_ONE + 7)
        assert writer.demand().view == lay.VIEW_ONE + 7
        second.lease(30.0, 0.05, 10.0, lay.VIEW_ONE)
        assert writer.demand().view == lay.VIEW_ALL
        first.close()
        assert writer.demand().view == lay.VIEW_ONE
        second.lease(30.0, 0.05, 10.0, 2**64 - 1)
        assert writer.demand().view == lay.VIEW_DEFAULT
        second.close()


def test_a_ring_of_another_layout_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with ring(tmp_path, picture(4, 4, 3)) as writer:
        for version in (1, 3):
            writer._words[lay.W_VERSION] = version
            with pytest.raises(RingError, match=f"layout version {version}, this is 2") as refused:
                FastLaneReader.attach("run", ring_dir=tmp_path)
            assert "start the run again" in refused.value.next_step


# -- untrusted bytes -----------------------------------------------------------------------------


def test_the_layout_is_pinned(tmp_path: Path) -> None:
    config = FastLaneConfig(2, 1, 3)
    with FastLaneWriter.create("run", config, ring_dir=tmp_path, slots=1, crc=False) as writer:
        writer.publish(b"abcdef", metrics=METRICS, step=5, episode=6)
        data = writer.path.read_bytes()
    words = np.frombuffer(data, "<u8")
    assert data[:8] == b"GYMGUI\x01\n"
    assert words[[1, 2, 3, 5, 6, 7]].tolist() == [2, 1, os.getpid(), 1, 8192, 6]
    assert words[[9, 10, 11, 12, 13, 14, 15]].tolist() == [1, 1, 2, 1, 3, 1, 0]
    assert words[[16, 17]].tolist() == [1, 1]
    slot = words[512:525]
    assert slot[[0, 2, 3, 7, 8, 9, 10, 11]].tolist() == [2, 5, 6, 1, 2, 3, 1, 6]
    assert np.frombuffer(data, "<f8")[516:519].tolist() == list(METRICS)
    assert data[8192:8198] == b"abcdef"
    assert len(data) == 12288


@pytest.mark.parametrize("word", [0, 1, 5, 6, 7])
@pytest.mark.parametrize("value", [0, 5000, 2**40, 2**64 - 1])
def test_a_foreign_header_is_refused(tmp_path: Path, word: int, value: int) -> None:
    with ring(tmp_path, picture(4, 4, 3)) as writer:
        writer._words[word] = value
        with pytest.raises(RingError, match="is not a ring"):
            FastLaneReader.attach("run", ring_dir=tmp_path)


@given(junk=st.binary(max_size=3 * 4096))
def test_arbitrary_bytes_are_not_a_ring(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    folder = tmp_path_factory.mktemp("rings")
    (folder / "run").mkdir()
    (folder / "run" / "x.ring").write_bytes(junk)
    with pytest.raises(RingError):
        FastLaneReader.attach("run", ring_dir=folder)


@given(
    edits=st.lists(
        st.tuples(
            st.sampled_from([*range(9, 18), *range(24, 31), *range(80, 84), *range(512, 525)]),
            st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1)),
        ),
        max_size=12,
    )
)
def test_no_edit_of_a_ring_brings_the_reader_down(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("rings")
    pixels = picture(4, 4, 3)
    with ring(folder, pixels, slots=1) as writer:
        writer.publish(pixels)
        for word, value in edits:
            writer._words[word] = value
        with FastLaneReader.attach("run", ring_dir=folder) as reader:
            state, frame = reader.latest_frame()
            assert (state is FastLaneState.FRAME) == (frame is not None)
            if frame is not None:
                assert len(frame.data) >= frame.height * frame.row_stride
                assert frame.row_stride >= frame.width * frame.channels
            reader.live_hud()
            assert 1 <= reader.environments > reader.first >= 0
            assert len(reader.cannot_draw().encode()) <= 3 * lay.REASON_BYTES


def test_a_half_written_slot_and_a_wrong_checksum_are_never_returned(tmp_path: Path) -> None:
    pixels = picture(4, 4, 3)
    with (
        ring(tmp_path, pixels, slots=1, crc=True) as writer,
        FastLaneReader.attach("run", ring_dir=tmp_path) as reader,
    ):
        writer.publish(pixels)
        writer._words[512] = 1
        assert reader.latest_frame() == (FastLaneState.IDLE, None)
        writer._words[512] = 2
        writer._bytes[8192] ^= 1
        assert reader.latest_frame() == (FastLaneState.IDLE, None)
        writer._bytes[8192] ^= 1
        assert reader.latest_frame()[0] is FastLaneState.FRAME
        assert reader.refused > 0
