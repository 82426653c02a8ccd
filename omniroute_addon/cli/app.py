"""All commands in one typer application, and the one place where an exception becomes a message."""

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from omniroute_addon.cli import (
    ca,
    check,
    doctor,
    env,
    evals,
    explain,
    logs,
    reset,
    run,
    simulate,
    status,
    translate,
    up,
    usage,
    vault,
)
from omniroute_addon.cli.console import as_json, say, tell

GONE = 0
"""Exit code when the reader of what is printed is gone (``omniroute env | head -1``)."""
SAY_THEMSELVES = frozenset(
    (
        "omniroute_addon.ca.CAError",
        "omniroute_addon.accounts.vault.VaultError",
        "translators.errors.FormatError",
        "translators.errors.Unsupported",
    )
)
"""Errors whose text is written for people, by name: their modules may not be importable, or not worth an import."""

app = typer.Typer(
    name="omniroute",
    help="An AI gateway on the wire: reroute, translate and watch the calls of unmodified AI tools.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(up.up)
app.command(context_settings=run.CONTEXT)(run.run)
app.command()(env.env)
app.command()(status.status)
app.command()(usage.usage)
app.command()(usage.costs)
app.command()(status.quota)
app.command()(logs.logs)
app.command()(reset.reset)
app.command()(doctor.doctor)
app.command()(check.check)
app.command()(explain.explain)
app.command()(simulate.simulate)
app.command()(translate.translate)
app.add_typer(ca.app, name="ca")
app.add_typer(vault.app, name="vault")
app.add_typer(evals.app, name="evals")


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the proxy running, to look at it in mitmweb.")] = False,
) -> None:
    """Do the main job once, offline: a Claude call whose first provider is out of quota, answered by another."""
    from omniroute_addon.cli.demo import demonstrate

    raise typer.Exit(demonstrate(keep=keep))


@app.command()
def version(*, json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """Say which versions of OmniRoute, mitmproxy and Python these are."""
    from importlib import metadata

    from omniroute_addon import __version__

    versions = {
        "omniroute": __version__,
        "mitmproxy": metadata.version("mitmproxy"),
        "python": ".".join(map(str, sys.version_info[:3])),
    }
    if json:
        as_json(versions)
        return
    for name, number in versions.items():
        say(f"{name} {number}")


def run_app() -> NoReturn:
    """Run the command of ``sys.argv``. Ends with an exit code, never with a traceback.

    ``OMNIROUTE_DEBUG=1`` shows the traceback of an exception that nobody expected; its message may hold secrets, which
    is why only its type and place are shown otherwise.

    A command has put away all that must be kept when it returns, and a thread that still runs has nothing to keep. So
    the process ends at once: to take a proxy's objects apart one by one takes 0.3 s, and seconds on a busy machine.
    """
    code = _run()
    logging.shutdown()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        code = code or (GONE if isinstance(error, BrokenPipeError) else 1)
    os._exit(code)


def _run() -> int:
    """The exit code."""
    try:
        app(prog_name="omniroute")
    except SystemExit as asked:
        return asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return GONE
    except Exception as error:  # noqa: BLE001 -- the edge of the program
        return _explain_exception(error)
    return 0


def _explain_exception(error: Exception) -> int:
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    if name == "omniroute_addon.config.models.ConfigError":
        for line in str(error).splitlines():
            tell(line, "red")
    elif name in SAY_THEMSELVES:
        tell(f"omniroute: {error}", "red")
    elif isinstance(error, OSError) and error.strerror:
        tell(f"omniroute: {error.filename or 'system'}: {error.strerror}", "red")
    else:
        _tell_unexpected(error)
    return 1


def _tell_unexpected(error: Exception) -> None:
    if os.environ.get("OMNIROUTE_DEBUG"):
        tell("".join(traceback.format_exception(error)))
        return
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    tell(f"omniroute: internal error: {type(error).__name__}{place}; OMNIROUTE_DEBUG=1 shows more", "red")
