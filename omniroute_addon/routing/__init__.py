"""Which calls are ours (surfaces) and where they go (plan), explained (explain). Pure: no I/O, no clock, no chance."""

from omniroute_addon.routing import surfaces
from omniroute_addon.routing.ask import Ask, BodyFacts, Told
from omniroute_addon.routing.candidate import Candidate, Excluded
from omniroute_addon.routing.plan import NotFound, Plan, plan
from omniroute_addon.routing.state import State, Unknown

__all__ = [
    "Ask",
    "BodyFacts",
    "Candidate",
    "Excluded",
    "NotFound",
    "Plan",
    "State",
    "Told",
    "Unknown",
    "plan",
    "surfaces",
]
