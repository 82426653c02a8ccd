"""The ``omniroute`` command. Nothing heavy is imported before a command needs it: ``omniroute --help`` is fast."""

import gc

IMPORTING = 50_000
"""New objects between two garbage collections while modules are imported, which make many and leave none behind."""


def main() -> None:
    """Entry point of the ``omniroute`` script."""
    gc.set_threshold(IMPORTING)
    from omniroute_addon.cli.app import run_app

    run_app()
