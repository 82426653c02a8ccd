"""``python -m omniroute_addon`` is the ``omniroute`` command."""

from omniroute_addon.cli import main

if __name__ == "__main__":
    main()
