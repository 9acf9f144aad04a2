"""Commands on another machine: run there through ssh, or watched from here."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import click

from gym_gui.commands.common import FAR, has_display
from gym_gui.core.errors import RemoteError

STAYS = ("--headless", "--wait", "--follow", "--detach", "--json", "--help", "-h")


def there(name: str) -> click.Command:
    """Return a command that passes its words on to ``gym-gui NAME`` on the other machine."""

    @click.command(name, add_help_option=False, context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def command(context: click.Context, words: tuple[str, ...]) -> int:
        far = context.find_root().meta[FAR]
        own = words[: words.index("--")] if "--" in words else words
        if name == "run" and has_display() and not set(own) & set(STAYS):
            from gym_gui.commands.window import open_window

            return open_window(far, select_run=_start(far.source, list(words)))
        return far.source.run_there([name, *words])

    return command


def _start(source: Any, words: list[str]) -> str:
    """Start a run there and return its id. Raises RemoteError with what it said."""
    line = [*source.address.words(), source.address.remote("run", "--detach", "--json", *words)]
    done = subprocess.run(line, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    found = re.search(r'"run_id": "([^"]+)"', done.stdout.decode(errors="replace"))
    if found:
        return found[1]
    raise RemoteError(
        f"The run was not started on {source.name}.",
        next_step=f"What was said stands above; the command was: {shlex.join(line)}",
    )
