"""Which calls are ours (surfaces) and where they go (plan), explained (explain). Pure: no I/O, no clock."""

from omniroute_addon.routing import surfaces
from omniroute_addon.routing.plan import Ask, Candidate, Excluded, NotFound, Plan, State, plan

__all__ = ["Ask", "Candidate", "Excluded", "NotFound", "Plan", "State", "plan", "surfaces"]
