"""The protocol as a JSON Schema, made from the types that the program reads with.

python -m gym_gui.services.trainer.schema docs/protocol.schema.json
"""

from __future__ import annotations

import functools
import json
import operator
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from gym_gui.telemetry.spool_records import Record

# What a worker that prints its records may leave out: the proxy fills it in.
PRINTED_DEFAULTS = {
    "Step": {"seq", "stream", "index", "episode", "step", "time_ns", "action", "observation"}
    | {"terminated", "truncated"},
    "VStep": {"seq", "time_ns"},
    "Packed": {"seq", "time_ns"},
    "VPacked": {"seq"},
    "Reset": {"seq", "stream", "episode", "time_ns"},
    "Episode": {"seq", "stream", "episode", "start_ns", "time_ns", "terminated", "truncated"},
    "Metric": {"seq", "global_step", "time_ns"},
    "Log": {"seq", "level", "time_ns"},
    "Frame": {"seq", "stream"},
    "Run": {"seq"},
}


def schema() -> dict[str, Any]:
    """Return the schema of one printed line; the spool's lines fit it too."""
    kinds = [_without_raw(kind) for kind in get_args(Record)]
    (found,), parts = msgspec.json.schema_components(
        [functools.reduce(operator.or_, kinds)], ref_template="#/$defs/{name}"
    )
    for name, optional in PRINTED_DEFAULTS.items():
        parts[name]["required"] = [n for n in parts[name]["required"] if n not in optional]
    parts["Step"]["properties"]["render_payload"] = {
        "description": "The picture after the step, shown live and not stored.",
        "type": "object",
        "properties": {
            "width": {"type": "integer"},
            "height": {"type": "integer"},
            "channels": {"enum": [1, 3, 4]},
            "data": {"type": "string", "contentEncoding": "base64"},
            "rgb": {"type": "array"},
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gym-gui worker protocol, version 1: one line",
        **found,
        "$defs": parts,
    }


def _without_raw(kind: Any) -> Any:
    """Return the type with its undecoded fields as any value: those have no schema."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        loose = {msgspec.Raw: Any, list[msgspec.Raw]: list[Any]}.get(field.type, field.type)
        if field.required:
            fields.append((field.name, loose))
        else:
            raw = isinstance(field.default, msgspec.Raw)
            fields.append((field.name, loose, None if raw else _default(field)))
    return msgspec.defstruct(
        kind.__name__,
        fields,
        tag_field="type",
        tag=kind.__struct_config__.tag,
        rename={field.name: field.encode_name for field in msgspec.structs.fields(kind)},
        namespace={"__doc__": kind.__doc__},
    )


def _default(field: Any) -> Any:
    made = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


def text() -> str:
    """Return the schema's file."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
