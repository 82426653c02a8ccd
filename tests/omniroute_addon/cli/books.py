"""A ledger with a few calls of today, for the commands that read it."""

import json
import time
from pathlib import Path

from omniroute_addon.accounts.quota import Quotas
from omniroute_addon.config.governance import Quota, Window
from omniroute_addon.ledger.store import connect, write

HEALTH = {"cooldowns": [{"scope": "account", "key": "glm:main", "until": 4e9, "reason": "429 quota", "failures": 1}]}


def kept(home: Path) -> Path:
    """Two calls: opus by way of glm to openai, and one of codex, at glm, that cost nothing."""
    path = home / "ledger.db"
    connection = connect(path)
    now = time.time()
    base = {"started": now - 1, "ended": now, "client": "claude-code", "asked": "claude-opus-4-6"}
    first = {**base, "exchange": "x1", "client": "claude-code"}
    paid = {"used": True, "outcome": "used", "input": 1000, "output": 500, "cache_read": 800}
    write(
        connection,
        [
            ("exchange", {**base, "id": "x1", "outcome": "done", "attempts": 2, "model": "claude-opus-4-6"}),
            ("exchange", {**base, "id": "x2", "outcome": "done", "attempts": 1, "client": "codex", "model": "gpt-5"}),
            ("attempt", {**first, "id": "a1", "number": 1, "provider": "glm", "model": "glm-4.7", "outcome": "429"}),
            (
                "attempt",
                {
                    **first,
                    **paid,
                    "id": "a2",
                    "number": 2,
                    "provider": "openai",
                    "model": "gpt-5",
                    "target": "openai/gpt-5",
                }
                | {"micro": 1_250_000, "worth": 1_250_000, "tier": "api-key"},
            ),
            (
                "attempt",
                {**base, **paid, "id": "a3", "exchange": "x2", "client": "codex", "provider": "glm", "model": "glm-4.7"}
                | {"micro": 0, "worth": 2_000, "target": "glm/glm-4.7", "tier": "free"},
            ),
            ("state", {"key": "quota", "value": _json(quotas(now).dump())}),
            ("state", {"key": "health", "value": _json(HEALTH)}),
        ],
    )
    connection.close()
    return path


def quotas(now: float) -> Quotas:
    """A 5-hour window, a week and a pace that were told, and a day that is counted."""
    known = Quotas()
    headers = {
        "x-codex-primary-used-percent": "75",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-after-seconds": "8000",
        "x-codex-secondary-used-percent": "10",
        "x-codex-secondary-window-minutes": "10080",
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "20",
        "x-ratelimit-reset-requests": "48s",
    }
    known.learn("glm:main", "glm", 200, headers.items(), None, now)
    known.count("origin:gemini-cli", Quota(windows=(Window(window="day", requests=1000),)), now, requests=400)
    return known


def _json(value: object) -> str:

    return json.dumps(value)
