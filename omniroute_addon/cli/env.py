"""``omniroute env``: the variables that bring the tools of a shell to the proxy."""

import os
from pathlib import Path
from typing import Annotated

import typer

from omniroute_addon import environment, running
from omniroute_addon.cli import console
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of
from omniroute_addon.cli.run import child_variables
from omniroute_addon.home import data_dir


def env(
    *,
    config: ConfigOption = None,
    shell: Annotated[
        str | None, typer.Option("--shell", help="bash, zsh, fish or powershell; default: what $SHELL says.")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Print the exports for this shell: eval "$(omniroute env)"."""
    name = shell or shell_of(os.environ.get("SHELL", ""))
    if name not in ("bash", "zsh", "fish", "powershell"):
        console.fail(f"unknown shell {name!r}", hint="Known are bash, zsh, fish and powershell.", code=2)
    joined = running.find(data_dir(), config)
    if joined is not None and joined.proxy is not None:
        values = child_variables(joined.proxy, running.config_of(joined) or config)
    else:
        values = child_variables(_configured_url(config), config)
    if json:
        console.as_json(values)
        return
    for line in environment.exports(values, name):
        console.write_line(line)


def shell_of(path: str) -> str:
    """The shell that a ``$SHELL`` path names; bash's words fit all others of its family."""
    name = Path(path).name
    return name if name in ("bash", "zsh", "fish") else "powershell" if name in ("pwsh", "powershell") else "bash"


def _configured_url(config: Path | None) -> str:
    """Where the proxy will be, once it runs."""
    address = snapshot_of(config).listen.proxy
    if address is None:
        console.fail("`listen.proxy` is off in the config")
    if address.port == 0:
        console.fail("no proxy is running, and its port is only known then", hint="Start it with: omniroute up")
    console.tell("# no proxy is running; start it with: omniroute up")
    return f"http://{address}"
