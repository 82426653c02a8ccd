"""The child process of ``judge``: one order on stdin, one verdict on stdout. Imports nothing of the product."""

import contextlib
import importlib.util
import json
import os
import re
import sys

MEMORY = 1 << 30


def main() -> None:
    order = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # what a check prints is not its verdict
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 -- not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        passed, reason = _judged(order)
    except BaseException as error:  # noqa: BLE001 -- also SystemExit of a check
        passed, reason = False, f"failed: {type(error).__name__}: {error}"
    os.write(out, json.dumps({"passed": passed, "reason": reason[:500]}).encode())


def _judged(order: dict[str, str]) -> tuple[bool, str]:
    if order["kind"] == "regex":
        return re.search(order["value"], order["output"]) is not None, f"nothing fits {order['value'][:60]!r}"
    spec = importlib.util.spec_from_file_location("check", order["file"])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    said = getattr(module, order["name"])(order["output"])
    if not isinstance(said, bool):
        return False, f"{order['name']} returned {type(said).__name__}, not true or false"
    return said, ""


if __name__ == "__main__":
    main()
