"""Accounts at providers: their health (cooldowns) and their secrets (vault)."""

from omniroute_addon.accounts.health import Cooldown, Health

__all__ = ["Cooldown", "Health"]
