"""All commands in order, and the one place where errors become exit codes."""

from __future__ import annotations

import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any

import typer

from studio.cli import (
    accounts,
    backup,
    candidates,
    chat,
    check,
    child_processes,
    data,
    demo,
    doctor,
    evaluate,
    harness,
    judge,
    lr_range,
    match,
    order,
    plan,
    release,
    round,
    runs,
    serve,
    train,
)
from studio.core.errors import StudioError
from studio.core.logs import log_told

INTERRUPTED = 130
UsageError: Any = (
    typer.BadParameter.__base__
)  # typer does not export it, and may carry its own click

app = typer.Typer(
    name="studio",
    help="VLM Studio: make a vision-language model prefer better answers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("import")(data.import_)
app.command("check")(check.check)
app.command("export")(data.export)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("plan")(plan.plan)
app.command("lr-range")(lr_range.lr_range)
app.command("train")(train.train)
app.command("submit")(train.submit)
app.add_typer(runs.app, name="runs")
app.command("chat")(chat.chat)
app.command("evaluate")(evaluate.evaluate)
app.command("harness")(harness.harness)
app.command("candidates")(candidates.candidates)
app.command("match")(match.match)
app.add_typer(round.app, name="round")
app.command("judge")(judge.judge)
app.command("release")(release.release)
app.command("serve")(serve.serve)
app.command("order")(order.order)
app.command("accounts")(accounts.accounts)
app.command("doctor")(doctor.doctor)
app.command("worker", hidden=True)(child_processes.worker)
app.command("remote", hidden=True)(child_processes.remote)
app.command("recipe", hidden=True)(child_processes.recipe)
app.command("planner", hidden=True)(child_processes.planner)
app.command("checker", hidden=True)(child_processes.checker)
app.command("inference", hidden=True)(child_processes.inference)
app.command("evaluator", hidden=True)(child_processes.evaluator)
app.command("run-evaluator", hidden=True)(child_processes.run_evaluator)
app.command("dry-step", hidden=True)(child_processes.dry_step)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError):  # a stream that cannot be set again prints as it did
                stream.reconfigure(errors="backslashreplace")  # names in data may be no characters
    try:
        return app(args=arguments, prog_name="python -m studio", standalone_mode=False) or 0
    except StudioError as error:
        log_told(error)
        typer.echo(error.in_full, err=True)
        return error.exit_code
    except UsageError as error:
        error.show(sys.stderr)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("Stopped.", err=True)
        return INTERRUPTED
