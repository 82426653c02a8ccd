"""A ledger with as many calls as a busy month has."""

import random
from pathlib import Path

import orjson

from omniroute_addon.ledger.journal import Entry
from omniroute_addon.ledger.store import connect, write

END = 1_790_000_000.0
"""When the last call began."""
_TARGETS = (("glm", "glm-4.7", "apikey"), ("minimax", "MiniMax-M2.1", "cheap"), ("openai", "gpt-5.1", "apikey"))
_CLIENTS = ("claude-code", "codex", "gemini-cli", "opencode", "qwen-code")


def seed(path: Path, count: int, *, end: float = END, every: float = 60.0, asked: bool = False) -> Path:
    """Write ``count`` calls, one ``every`` some seconds, the last at ``end``; the same ones every time.

    ``asked``: with what rules could see of them, so that they can be planned once more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = random.Random(7)
    entries: list[Entry] = []
    for number in range(count):
        entries += _call(number, end - (count - 1 - number) * every, draw, asked=asked)
    connection = connect(path)
    write(connection, entries)
    connection.close()
    return path


def _call(number: int, started: float, draw: random.Random, *, asked: bool) -> list[Entry]:
    name = f"{number:08x}-0000-4000-8000-{number:012x}"
    fails = number % 40 == 7
    falls = number % 10 == 3
    client, model = _CLIENTS[number % 5], ("claude-opus-4-6", "gpt-5.1-codex", "gemini-3-pro")[number % 3]
    first = draw.uniform(0.2, 3)
    took = first + draw.uniform(0.5, 20)
    shared = {"client": client, "key": None, "combo": "premium-coding", "asked": model, "owner": None}
    attempts: list[Entry] = []
    for turn in range(2 if falls else 1):
        provider, served, tier = _TARGETS[(number + turn) % 3]
        used = not fails and turn == (1 if falls else 0)
        output = draw.randrange(10, 3000)
        attempts.append(
            (
                "attempt",
                {
                    **shared, "id": f"{name}-{turn}", "exchange": name, "number": turn + 1, "started": started,
                    "first_event": started + first if used else None, "ended": started + took,
                    "target": f"{provider}/{served}", "provider": provider, "model": served, "account": f"{provider}-main",
                    "tier": tier, "format": "openai-chat", "status": 200 if used else 429, "used": used,
                    "outcome": "used" if used else "429 quota: limit reached → next account", "stop": "end",
                    "input": draw.randrange(500, 90_000) if used else None, "output": output if used else None,
                    "cache_read": draw.randrange(0, 500) if used else None, "reasoning": 0,
                    "micro": output * 15 if used else None, "worth": output * 15 if used else None,
                    "estimated": False, "cost_estimated": number % 3 == 0, "cost_source": "list" if used else None,
                    "losses": [("tools[0].cache_control", "no such field")] if used and number % 7 == 0 else [],
                },
            )
        )  # fmt: skip
    plan: dict[str, object] = {
        "route": "routes[0]", "combo": "premium-coding", "session": None, "tried": [],
        "candidates": [{"target": one[1]["target"], "account": one[1]["account"], "why": ""} for one in attempts],
        "excluded": [],
    }  # fmt: skip
    if asked:
        plan["ask"] = {
            "client": client, "format": "anthropic-messages", "model": model, "host": "api.anthropic.com",
            "path": "/v1/messages", "operation": "generate", "gateway": False, "provider": "anthropic",
            "slash_models": False, "key": None, "source": "127.0.0.1", "login": False, "has": [], "tokens": None,
            "at_most": 40_000, "session": None,
        }  # fmt: skip
    call = {
        "id": name, "started": started, "ended": started + took, "client": client, "format": "anthropic-messages",
        "operation": "generate", "model": model, "streaming": True, "session": None, "key": None, "source": "127.0.0.1",
        "route": "routes[0]", "combo": "premium-coding", "status": 503 if fails else 200,
        "outcome": "failed: every candidate failed" if fails else "done", "ok": not fails, "attempts": len(attempts),
        "owner": None, "plan": orjson.dumps(plan).decode(),
    }  # fmt: skip
    return [("exchange", call), *attempts]
