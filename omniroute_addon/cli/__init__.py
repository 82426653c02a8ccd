"""The ``omniroute`` command. Nothing heavy is imported before a command needs it: ``omniroute --help`` is fast."""


def main() -> None:
    """Entry point of the ``omniroute`` script."""
    from omniroute_addon.cli.app import run_app

    run_app()
