"""The learning curve as a picture: one dot an episode, and their moving mean as a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = (960, 480)
_LEFT, _TOP, _RIGHT, _BOTTOM = 78, 48, 24, 56
_INK, _GRID, _DOT, _LINE = (40, 44, 52), (226, 229, 234), (176, 200, 232), (28, 92, 176)


def moving_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of the last ``window`` values at each place (fewer at the beginning)."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)


def save_curve(returns: Sequence[float], path: Path, *, title: str) -> Path:
    """Draw the returns of the episodes in order and write a PNG of 960 by 480 pixels."""
    values = np.asarray(returns, dtype=float)
    values = values[np.isfinite(values)]
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.text((_LEFT, 14), title, fill=_INK, font=ImageFont.load_default(18))
    if len(values):
        low, high = _bounds(values)
        _axes(draw, low, high, len(values))
        _points(draw, values, low, high)
    else:
        draw.text((_LEFT, 200), "No episode ended.", fill=_INK, font=ImageFont.load_default(16))
    image.save(path)
    return path


def _bounds(values: np.ndarray) -> tuple[float, float]:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    return (low, high) if high > low else (low - 1, high + 1)


def _y(value: Any, low: float, high: float) -> Any:
    return SIZE[1] - _BOTTOM - (value - low) / (high - low) * (SIZE[1] - _TOP - _BOTTOM)


def _x(index: Any, count: int) -> Any:
    return _LEFT + index / max(1, count - 1) * (SIZE[0] - _LEFT - _RIGHT)


def _axes(draw: ImageDraw.ImageDraw, low: float, high: float, count: int) -> None:
    font = ImageFont.load_default(13)
    for part in range(5):
        value = low + (high - low) * part / 4
        y = _y(value, low, high)
        draw.line([(_LEFT, y), (SIZE[0] - _RIGHT, y)], fill=_GRID)
        draw.text((_LEFT - 10, y), f"{value:.4g}", fill=_INK, font=font, anchor="rm")
        index = round((count - 1) * part / 4)
        draw.text(
            (_x(index, count), SIZE[1] - _BOTTOM + 16),
            f"{index}",
            fill=_INK,
            font=font,
            anchor="mm",
        )
    draw.text((SIZE[0] / 2, SIZE[1] - 14), "episode", fill=_INK, font=font, anchor="mm")
    draw.text((12, 16), "return", fill=_INK, font=font)


def _points(draw: ImageDraw.ImageDraw, values: np.ndarray, low: float, high: float) -> None:
    count = len(values)
    shown = np.unique(np.linspace(0, count - 1, min(count, 4000)).astype(int))
    xs = _x(shown, count)
    for x, y in zip(xs, _y(values[shown], low, high), strict=True):
        draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=_DOT)
    means = _y(moving_mean(values, max(1, min(50, count // 10)))[shown], low, high)
    line = [(float(x), float(y)) for x, y in zip(xs, means, strict=True)]
    draw.line(line, fill=_LINE, width=3, joint="curve")
