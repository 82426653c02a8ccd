"""``omniroute check``: whether a config file would be accepted, and what it says in a few numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omniroute_addon.config import Problem


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="default: omniroute.yaml in the data dir.")
    ] = None,
    *,
    config: ConfigOption = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of the file, for editors, and check nothing.")
    ] = False,
    json: JSONOption = False,
) -> None:
    """Check a config file; errors are `file:line: key: message`, exit code 1."""
    if schema:
        from omniroute_addon.config import json_schema

        console.write(json_schema.text().encode())
        return
    from omniroute_addon.config import ConfigError

    try:
        snapshot = snapshot_of(file or config)
    except ConfigError as error:
        if json:
            console.as_json({"ok": False, "problems": _facts(error.problems)})
        else:
            for line in str(error).splitlines():
                console.tell(line, "red")
        raise typer.Exit(1) from None
    counts = {
        "providers": len(snapshot.providers),
        "accounts": len(snapshot.accounts),
        "combos": len(snapshot.combos),
        "routes": len(snapshot.routes),
        "aliases": len(snapshot.aliases),
    }
    source = str(snapshot.source) if snapshot.source else None
    proxies = sorted(str(one) for one in snapshot.outbounds())
    if json:
        console.as_json(
            {"ok": True, "file": source, **counts, "proxies": proxies, "warnings": _facts(snapshot.warnings)}
        )
        return
    for warning in snapshot.warnings:
        console.tell(f"warning: {warning}", "yellow")
    if proxies:
        console.say(f"calls to providers leave by {', '.join(proxies)}")
    console.say(
        f"{source or 'no config file: defaults'}: ok, " + ", ".join(f"{count} {name}" for name, count in counts.items())
    )


def _facts(problems: "Sequence[Problem]") -> list[dict[str, object]]:
    return [{"file": one.file, "line": one.line, "key": one.key_path, "message": one.message} for one in problems]
