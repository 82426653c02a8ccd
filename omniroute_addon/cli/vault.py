"""``omniroute vault``: keys that the config names instead of holding them. Values never stand on a command line."""

import sys
from typing import Annotated

import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.options import JSONOption
from omniroute_addon.home import data_dir

app = typer.Typer(help="Keys kept encrypted in the data dir.", no_args_is_help=True, rich_markup_mode=None)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As the config says it: key: {vault: NAME}.")]


@app.command(name="set")
def set_(name: NameArgument) -> None:
    """Keep a key; it is asked for, or read from stdin."""
    from omniroute_addon.accounts.vault import Vault

    secret = _ask(name) if sys.stdin.isatty() else sys.stdin.read()
    if not secret.strip():
        console.fail("nothing was given, nothing is kept")
    from omniroute_addon.logs.writer import audit_now

    Vault().set(name, secret.strip())
    audit_now(data_dir(), "vault set", name=name)
    console.tell(f"kept; use it with  key: {{vault: {name}}}")


@app.command(name="list")
def list_(*, json: JSONOption = False) -> None:
    """List the names; never the values."""
    from omniroute_addon.accounts.vault import Vault

    names = Vault().list()
    if json:
        console.as_json(list(names))
        return
    for name in names:
        console.say(name)
    if not names:
        console.tell("the vault is empty; add a key with: omniroute vault set NAME")


@app.command()
def rm(name: NameArgument) -> None:
    """Forget a key."""
    from omniroute_addon.accounts.vault import Vault
    from omniroute_addon.logs.writer import audit_now

    if not Vault().delete(name):
        console.fail(f"the vault has no {name!r}", hint="`omniroute vault list` shows what it has.")
    audit_now(data_dir(), "vault rm", name=name)
    console.tell("gone")


def _ask(name: str) -> str:
    import getpass

    return getpass.getpass(f"Key for {name} (not shown): ")
