"""From what an environment's ``render`` returns to bytes in a row, with few copies."""

from __future__ import annotations

from typing import Any, Tuple, Union

from gym_gui.core.errors import FrameShapeError

_Shape = Tuple[int, int, int]
_Bytes = Union[bytes, memoryview]


def pixels_of(frame: Any, shape: _Shape) -> Tuple[_Bytes, bool]:
    """Return ``frame``'s bytes and whether they lie columns first.

    shape: (height, width, channels) that is wanted; a grey frame may leave the last out.
    An array transposed from (width, height, channels), as pygame's are, is taken as it lies.
    Raises FrameShapeError for another shape or dtype.
    """
    view = frame if type(frame) is memoryview else _view(frame)
    if view.format != "B":
        raise _wrong(shape, f"elements of format {view.format!r}")
    if view.ndim == 1 and view.nbytes == shape[0] * shape[1] * shape[2]:
        return (view if view.c_contiguous else view.tobytes()), False
    if view.shape != shape and (view.shape, 1) != (shape[:2], shape[2]):
        raise _wrong(shape, " x ".join(map(str, view.shape or ())))
    if view.c_contiguous:
        return view.cast("B"), False
    if view.ndim == 3 and view.strides == (shape[2], shape[0] * shape[2], 1):
        turned = getattr(frame, "transpose", None)
        if turned is not None:
            return memoryview(turned(1, 0, 2)).cast("B"), True
    return view.tobytes(), False  # C order, whatever the strides


def _view(frame: Any) -> memoryview:
    try:
        return memoryview(frame)
    except (TypeError, ValueError) as error:
        raise FrameShapeError(
            f"A {type(frame).__name__} is not a picture.", next_step="Pass a uint8 array."
        ) from error


def _wrong(shape: _Shape, got: str) -> FrameShapeError:
    return FrameShapeError(
        f"The ring holds uint8 frames of {shape[0]} x {shape[1]} x {shape[2]}, not {got}.",
        next_step="Call resize() for frames of another size.",
    )


def rows_first(data: bytes, height: int, width: int, channels: int) -> bytes:
    """Turn columns-first pixels into rows-first ones (on the viewer's side, not the training's)."""
    line = width * channels
    out = bytearray(line * height)
    column = height * channels
    for x in range(width):
        start = x * column
        for channel in range(channels):
            out[x * channels + channel :: line] = data[start + channel : start + column : channels]
    return bytes(out)
