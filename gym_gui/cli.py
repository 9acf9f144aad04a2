"""Command line: finds the subcommand, and turns every error into one line and a next step."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path

import click

from gym_gui import __version__
from gym_gui.commands.common import FAR
from gym_gui.core.errors import GymGuiError
from gym_gui.core.paths import DataDir

COMMAND = "gym_gui.remote_command"  # in the root context's meta

# subcommand: (module, its command's name there, one line of help). Loaded when called.
COMMANDS = {
    "demo": ("demo", "demo", "Watch a linear policy learn CartPole, within seconds."),
    "run": ("run", "run", "Train a script of yours, watched and recorded, unmodified."),
    "runs": ("runs", "runs", "List, show, stop, rename and delete runs."),
    "replay": ("replay", "replay", "Show any recorded episode again, or write it as pictures."),
    "verify": ("replay", "verify", "Simulate a run again and compare it with its recording."),
    "export": ("export", "export", "Write a run as table, video, Minari or TensorBoard data."),
    "import": ("import_", "import_", "Make a run of a TensorBoard folder or a Minari dataset."),
    "repair": ("store", "repair", "Check a run's file, and save what can be saved of it."),
    "validate": ("store", "validate", "Check a worker's printed records against the protocol."),
    "daemon": ("daemon", "daemon", "Start, stop or ask after the recording daemon."),
    "evaluate": ("evaluate", "evaluate", "Watch a policy that a run saved."),
    "bench": ("bench", "bench", "Measure the lanes, the tap and the start on this machine."),
    "doctor": ("doctor", "doctor", "Say what of the set-up is missing, and how to mend it."),
}


HERE = ("replay", "verify", "export")  # of far runs: on a copy of their files
OVER_TLS = (*HERE, "runs")


class _LazyGroup(click.Group):
    """Imports a subcommand's module only when it is called, so that --help answers at once.

    With --connect ssh://… what is not done on copies here is done there, word for word.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        far = ctx.meta.get(FAR)
        if far is not None and args and args[0] in COMMANDS and args[0] not in HERE:
            from gym_gui.commands.far import there

            if hasattr(far.source, "run_there"):
                return args[0], there(args[0]), args[1:]
            if args[0] not in OVER_TLS:
                raise click.UsageError(f"{args[0]} needs --connect ssh://…, to be run there.", ctx)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        return getattr(importlib.import_module(f"gym_gui.commands.{module}"), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


def _far(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Take note of the far daemon that everything is to be done with."""
    if value:
        from gym_gui.services.remote.sources import FarDataDir

        base = DataDir(context.params.get("data_dir"))
        context.meta[FAR] = FarDataDir(base, value, command=context.meta[COMMAND])


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each command has its own --help. Runs are kept under --data-dir, by default "
    "$GYM_GUI_DATA_DIR or ~/.local/share/gym-gui.",
)
@click.version_option(__version__, prog_name="gym-gui")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    is_eager=True,
    help="Folder that keeps the runs.",
)
@click.option(
    "--connect",
    metavar="ADDRESS",
    callback=_far,
    expose_value=False,
    is_eager=False,
    help="Work on the runs of another machine: ssh://[user@]host, or tls://HOST:PORT?sha256=…",
)
@click.option(
    "--remote-command",
    default="gym-gui",
    show_default=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, value: context.meta.__setitem__(COMMAND, value),
    help="What gym-gui is called there (with --connect ssh://…).",
)
@click.pass_context
def main_command(context: click.Context, data_dir: Path | None) -> None:
    """Watch reinforcement-learning agents train live, keep every step, replay any moment.

    Without a command, gym-gui opens its window.

    \b
      gym-gui demo                                  a first look, in seconds
      gym-gui run -- train.py --env-id CartPole-v1  your own script, unmodified
      gym-gui runs                                  what was recorded
      gym-gui replay RUN --episode 3                any episode again
      gym-gui --connect ssh://gpu-box               the same, for runs of another machine
    """
    context.obj = data_dir
    if context.invoked_subcommand is None:
        from gym_gui.commands.window import open_window

        context.exit(open_window(context.meta.get(FAR) or data_dir))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        result = main_command.main(arguments, prog_name="gym-gui", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        return _tell("Interrupted.", "", 130)
    except click.ClickException as error:
        return _tell(error.format_message(), _usage_hint(error), error.exit_code)
    except GymGuiError as error:
        return _tell(error.message, error.next_step, error.exit_code)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - kept until the process ends
        return 0
    except Exception as error:  # noqa: BLE001 - the process's edge: a person reads the line
        return _unexpected(error)


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "gym-gui"
    return f"Run `{path} --help` for what it takes."


def _tell(message: str, next_step: str, code: int) -> int:
    click.echo(f"gym-gui: {message}", err=True)
    if next_step:
        click.echo(f"  {next_step}", err=True)
    return code


def _unexpected(error: Exception) -> int:
    if os.environ.get("GYM_GUI_DEBUG"):
        traceback.print_exc()
        return 70
    text = str(error).strip().splitlines()
    return _tell(
        f"Something went wrong that should not have: {type(error).__name__}"
        + (f": {text[0]}" if text else ""),
        "Set GYM_GUI_DEBUG=1 and run it again to see where; `gym-gui doctor` checks the set-up.",
        70,
    )


if __name__ == "__main__":
    sys.exit(main())
