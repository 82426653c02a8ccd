"""What is left of every account's quotas: told by providers (headers, errors), or counted here by rules."""

from omniroute_addon.accounts.quota.allowance import Allowance, Source
from omniroute_addon.accounts.quota.quotas import Quotas

__all__ = ["Allowance", "Quotas", "Source"]
