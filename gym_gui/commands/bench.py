"""``gym-gui bench``: measurements on this machine, each with a baseline beside it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from inspect import signature
from typing import Any

import click

from gym_gui.commands.common import json_option, print_json

_BENCHES = {
    "fastlane": "The ring: cost of publishing and of reading a frame, against a bare copy.",
    "slowlane": "Steps per second from spool to acknowledged rows.",
    "store": "The store alone: rows and frames written, and how quickly it is read.",
    "overhead": "What the tap costs a training, watched and unwatched, against none.",
    "window": "Picture latency, 64 live tiles, memory, 5,000 runs: the GUI thread's share.",
    "play": "From a key press to the picture that shows its effect, on a virtual display.",
    "analytics": "A long run's first curve, and ten million points panned and zoomed.",
    "replay": "Seeking in a run of 10 million steps, recorded and simulated again.",
    "reproducibility": "How many episodes of eleven environments live again exactly.",
    "startup": "Time from the command to the first live frame in the window.",
}


@click.group()
def bench() -> None:
    """Measure the lanes, the tap and the start on this machine.

    Numbers are only worth something on a machine with nothing else to do.
    """


def _command(name: str, line: str) -> click.Command:
    @click.command(name, help=line)
    @click.option("--quick", is_flag=True, help="A short form: seconds instead of minutes.")
    @click.option("--only", default="", help="Only the parts whose name begins so.")
    @json_option
    def measure(quick: bool, only: str, as_json: bool) -> int:
        module = importlib.import_module(f"gym_gui.bench.{name}")
        choice = {"only": only} if "only" in signature(module.measure).parameters else {}
        if only and not choice:
            raise click.UsageError(f"{name} has no parts to choose from.")
        result = module.measure(quick=quick, **choice)
        if as_json:
            print_json(result)
        else:
            _print(result)
        return 0

    return measure


def _print(result: Mapping[str, Any], depth: int = 0) -> None:
    for key, value in result.items():
        label = "  " * depth + key
        if isinstance(value, Mapping):
            click.echo(label)
            _print(value, depth + 1)
        else:
            text = f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else value
            text = f"{text:,.0f}" if isinstance(text, float) else text
            click.echo(f"{label:<40}{text}")


for _name, _line in _BENCHES.items():
    bench.add_command(_command(_name, _line))
