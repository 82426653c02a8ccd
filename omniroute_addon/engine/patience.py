"""How long a call may wait, and when its combo allows no further attempt. Pure."""

from omniroute_addon.config.models import Timeouts
from omniroute_addon.ledger import ExchangeRecord
from omniroute_addon.routing.candidate import Candidate


def patience(candidate: Candidate, timeouts: Timeouts, record: ExchangeRecord, now: float) -> float:
    """Seconds that the client, and the combo, can be expected to wait until an attempt begins."""
    longest = timeouts.first_event if record.streaming else timeouts.whole
    if candidate.place is not None and candidate.place.settings.max_time is not None:
        longest = min(longest, candidate.place.settings.max_time)
    return max(0.0, record.started + longest - now)


def spent(candidate: Candidate, record: ExchangeRecord, now: float) -> bool:
    """Whether the candidate's combo allows no further attempt."""
    if candidate.place is None:
        return False
    settings = candidate.place.settings
    if settings.max_attempts is not None and len(record.attempts) >= settings.max_attempts:
        return True
    return settings.max_time is not None and now - record.started >= settings.max_time
