"""The way from nothing to first rules: what is on this machine (``found``), the rules that fit it (``proposal``), their file.

``omniroute up`` asks in the terminal, ``/omniroute/start`` on a page; both only ask, all else is here. Of keys and logins
this package knows that they are there, and where; it never shows or copies one.
"""

from omniroute_addon.firstrun.file import place, write
from omniroute_addon.firstrun.found import KeyFound, Machine, ToolFound, look
from omniroute_addon.firstrun.proposal import ProposalError, Wish, proposed, text

__all__ = ["KeyFound", "Machine", "ProposalError", "ToolFound", "Wish", "look", "place", "proposed", "text", "write"]
