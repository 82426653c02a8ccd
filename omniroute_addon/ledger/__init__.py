"""What happened: exchanges and their attempts."""

from omniroute_addon.ledger.record import AttemptRecord, ExchangeRecord

__all__ = ["AttemptRecord", "ExchangeRecord"]
