"""``gym-gui validate`` and ``repair``: records and run files that something is wrong with."""

from __future__ import annotations

from pathlib import Path

import click

from gym_gui.commands.common import data_dir_option, find_run, json_option, print_json
from gym_gui.core.errors import UsageError
from gym_gui.core.paths import DataDir


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def validate(file: Path, as_json: bool) -> int:
    """Check the JSON lines in FILE against the protocol, line by line.

    For whoever writes a worker in another language: FILE is what it printed. Lines that do not
    look like records are passed over. Exits 1 when a record is not as it should be, or there is
    none.
    """
    from gym_gui.services.trainer.printed import Completer
    from gym_gui.services.trainer.spool import looks_like_record
    from gym_gui.telemetry.spool_decoder import SpoolDecoder

    if not file.is_file():
        raise UsageError(f"There is no file {file}.", next_step="Check its path.")
    decoder = SpoolDecoder("validate", run_id="validate", frames_dir=file.parent)
    completer = Completer()
    records, problems = 0, []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not looks_like_record(line):
                continue
            records += 1
            decoder.next_seq = records
            whole = b"\n".join(completer.complete(records, [line.rstrip(b"\n")]))
            problems += [
                {"line": number, "problem": rejected.reason}
                for rejected in decoder.decode(whole).rejected
            ]
    if as_json:
        print_json({"records": records, "problems": problems})
    elif not records:
        raise UsageError(
            f"{file} holds no records of the protocol.",
            next_step='A record is a line like {"type":"step",…}: see docs/protocol.md.',
        )
    else:
        for found in problems:
            click.echo(f"line {found['line']}: {found['problem']}")
        click.echo(f"{records} records, {len(problems)} of them not as the protocol says.")
    return int(bool(problems) or not records)


@click.command()
@click.argument("run")
@data_dir_option
@json_option
def repair(run: str, data_dir: DataDir, as_json: bool) -> int:
    """Check the file of RUN, and save what can be read if it is damaged.

    The damaged file is kept beside the new one; what is missing is named.
    """
    from gym_gui.telemetry import repair as mending

    record = find_run(data_dir, run)
    if not record.state.is_final:
        raise UsageError(
            f"{record.run_id} is still {record.state.value}.", next_step="Stop it first."
        )
    report = mending.repair(data_dir.run(record.run_id))
    if as_json:
        print_json(
            {
                "run_id": record.run_id,
                "was_sound": report.check.is_sound,
                "damaged_file": report.damaged,
                "salvaged": report.salvaged,
                "imported": report.imported,
                "gaps": [str(gap) for gap in report.gaps],
                "unreadable": report.unreadable,
            }
        )
        return 0
    if report.check.is_sound:
        click.echo(f"{record.run_id}: the file is whole, {report.check.steps:,} steps.")
    else:
        saved = ", ".join(f"{count:,} {table}" for table, count in report.salvaged.items() if count)
        click.echo(f"{record.run_id}: saved {saved or 'nothing'} from the damaged file,")
        click.echo(f"  and {report.imported:,} steps from what was still on its way.")
        click.echo(f"  The damaged file is kept as {report.damaged}.")
    for gap in report.gaps:
        click.echo(f"  missing: {gap}")
    return 0
