"""Runs exchanges: relay (the loopback server), exchange (the attempt loop), upstream (one HTTP call), verdict (what now)."""
