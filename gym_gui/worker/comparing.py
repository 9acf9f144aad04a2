"""Whether an observation is the recorded one, in however many digits that was written."""

from __future__ import annotations

import json
from typing import Any

from gym_gui.worker.encode import ObservationEncoder


def is_recorded(observation: Any, recorded: Any, encoder: ObservationEncoder) -> bool:
    """Compare by the recording's own form; floats as numbers of the observation's type.

    Imported data and other languages write a 32-bit float with other digits than the tap does.
    """
    written = encoder(observation)
    if json.loads(written) == recorded:
        return True
    if isinstance(observation, dict) and isinstance(recorded, dict):
        parts = [(value, recorded.get(str(key))) for key, value in observation.items()]
        return all(is_recorded(value, part, encoder) for value, part in parts)
    if isinstance(observation, (list, tuple)) and isinstance(recorded, list):
        pairs = zip(observation, recorded)
        same_length = len(observation) == len(recorded)
        return same_length and all(is_recorded(value, part, encoder) for value, part in pairs)
    dtype = getattr(observation, "dtype", None)
    if getattr(dtype, "kind", "") != "f" or isinstance(recorded, (dict, str)) or recorded is None:
        return False
    import numpy as np

    array = np.asarray(numbers(recorded), dtype=dtype)
    return array.shape == getattr(observation, "shape", ()) and encoder(array) == written


def numbers(value: Any) -> Any:
    """Return recorded numbers as floats where they are text (``"NaN"``, ``"Infinity"``)."""
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return float(value) if isinstance(value, str) else value
