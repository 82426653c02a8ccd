"""``omniroute ca``: show, locate and renew the local certificate authority."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of
from omniroute_addon.home import data_dir

if TYPE_CHECKING:
    from omniroute_addon.ca import Authority

app = typer.Typer(help="The local certificate authority.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(*, config: ConfigOption = None, json: JSONOption = False) -> None:
    """Show its fingerprint, how long it is valid and which hosts it can vouch for."""
    authority = _authority(config)
    missing = authority.missing(_hosts(config))
    facts = {
        "name": authority.name,
        "file": str(authority.cert_path),
        "sha256": authority.fingerprint,
        "not_before": authority.not_before.isoformat(),
        "not_after": authority.not_after.isoformat(),
        "expired": authority.expired(dt.datetime.now(dt.UTC)),
        "hosts": sorted(authority.hosts),
        "missing": list(missing),
    }
    if json:
        console.as_json(facts)
        return
    console.say(f"{facts['name']}", "bold")
    console.say(f"file         {facts['file']}")
    console.say(f"sha256       {facts['sha256']}")
    console.say(f"valid        {authority.not_before:%Y-%m-%d} to {authority.not_after:%Y-%m-%d}")
    console.say(f"vouches for  {', '.join(sorted(authority.hosts)) or 'anything (no name constraints)'}")
    if facts["expired"]:
        console.say("It has expired: omniroute ca rotate", "red")
    if missing:
        console.say(f"Not covered: {', '.join(missing)}; make a new one with: omniroute ca rotate", "yellow")


@app.command()
def path(
    *,
    config: ConfigOption = None,
    directory: Annotated[bool, typer.Option("--dir", help="The directory instead of the certificate.")] = False,
) -> None:
    """Print where its certificate is (made now if there is none)."""
    authority = _authority(config)
    console.write_line(str(authority.directory if directory else authority.cert_path))


@app.command()
def rotate(*, config: ConfigOption = None, json: JSONOption = False) -> None:
    """Make a new one for today's surface hosts; the old one is kept beside it."""
    from omniroute_addon import ca, running
    from omniroute_addon.logs.writer import audit_now

    fresh, backup = ca.rotate(_directory(), _hosts(config))
    audit_now(data_dir(), "ca rotate", sha256=fresh.fingerprint)
    if json:
        console.as_json({"file": str(fresh.cert_path), "sha256": fresh.fingerprint, "backup": backup and str(backup)})
        return
    console.say(f"new CA  {fresh.cert_path}  sha256 {fresh.fingerprint}")
    if backup is not None:
        console.say(f"old CA  {backup}  (delete it when nothing needs it any more)")
    if running.find(data_dir()) is not None:
        console.say("A proxy is running with the old one: restart it, and the tools too.", "yellow")


def _authority(config: Path | None) -> "Authority":
    from omniroute_addon import ca

    return ca.load(_directory()) or ca.ensure(_directory(), _hosts(config))


def _hosts(config: Path | None) -> frozenset[str]:
    from omniroute_addon.routing import surfaces

    return surfaces.hosts(snapshot_of(config))


def _directory() -> Path:
    from omniroute_addon import ca

    return ca.directory_in(data_dir())
