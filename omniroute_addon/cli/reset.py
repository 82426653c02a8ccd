"""``omniroute reset``: wake what rests, close breakers, forget quotas; of a running proxy, else of the state on disk."""

from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of
from omniroute_addon.home import data_dir

if TYPE_CHECKING:
    from omniroute_addon.config import Snapshot


def reset(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ACCOUNT|PROVIDER|TARGET]…", help="As `status` and the rules call it."),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All accounts, providers and targets.")] = False,
    config: ConfigOption = None,
    json: JSONOption = False,
) -> None:
    """Forget cooldowns, lockouts, open breakers and learned quotas, so that the next call is tried at once."""
    from omniroute_addon import resets, running

    wanted = names or []
    if bool(wanted) == everything:
        console.fail("name what to reset, or say --all")
    found: list[str] = []
    alive = [record for _, record in running.records(data_dir()) if record.alive]
    for record in alive:
        said = resets.ask(data_dir(), record.pid, wanted)
        if said is None:
            console.fail(f"the proxy with the process id {record.pid} does not answer")
        found += said
    if not alive:
        found = _on_disk(snapshot_of(config), wanted)
    found = sorted(set(found))
    if json:
        console.as_json({"reset": found})
    elif found:
        console.say(f"reset: {', '.join(found)}")
    else:
        console.say("nothing to reset" if everything else f"nothing is held against {', '.join(wanted)}")


def _on_disk(snapshot: "Snapshot", names: list[str]) -> list[str]:
    import time

    from omniroute_addon.engine.keeper import Barred, Keeper
    from omniroute_addon.engine.standing import Standing
    from omniroute_addon.gateway.lockout import Lockouts
    from omniroute_addon.ledger.ledger import Ledger, path_of

    if not path_of(snapshot).exists():
        return []
    ledger = Ledger.open(snapshot)
    try:
        standing = Standing(lambda: snapshot, time.time)
        lockouts = Lockouts()
        keeper = Keeper(ledger, standing, Barred(lockouts, lambda: snapshot, time.time))
        keeper.load()
        found = [key for name in names or (None,) for key in (*standing.reset(name), *lockouts.lift(name))]
        keeper.save()
    finally:
        ledger.close()
    return found
