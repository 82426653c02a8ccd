"""``python -m tests.translators.fuzz --count 1000000 --seed 7 --workers 2``; ``--only N`` runs one case of the seed.

``--linear`` measures instead how time grows with size (``linear.py``).
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.translators.fuzz import attack, linear

_SLICE = 2000


def _failures(seed: int, start: int, end: int) -> list[tuple[str, int]]:
    """What went wrong, by place, with the number of its case."""
    found: list[tuple[str, int]] = []
    for number in range(start, end):
        one = attack.case(seed, number)
        try:
            attack.run(one)
        except Exception as error:  # noqa: BLE001
            frames = traceback.extract_tb(error.__traceback__)
            place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-3:]))
            found.append((f"{one.kind:8} {type(error).__name__}: {str(error)[:90]} @ {place}", number))
    return found


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.translators.fuzz", description=__doc__)
    options.add_argument("--count", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--only", type=int, default=None)
    options.add_argument("--linear", action="store_true")
    chosen = options.parse_args()
    if chosen.linear:
        return linear.main(chosen.workers)
    if chosen.only is not None:
        one = attack.case(chosen.seed, chosen.only)
        sys.stdout.write(f"{one}\n")
        attack.run(one)
        return 0
    began = time.perf_counter()
    places: Counter[str] = Counter()
    first: dict[str, int] = {}
    starts = range(0, chosen.count, _SLICE)
    with ProcessPoolExecutor(chosen.workers) as pool:
        work = [pool.submit(_failures, chosen.seed, at, min(at + _SLICE, chosen.count)) for at in starts]
        for done, future in enumerate(work, 1):
            for place, number in future.result():
                places[place] += 1
                first.setdefault(place, number)
            if done % 20 == 0:
                sys.stdout.write(f"{done * _SLICE:>9,} cases, {places.total()} failures\n")
                sys.stdout.flush()
    seconds = time.perf_counter() - began
    for place, times in places.most_common(60):
        sys.stdout.write(f"{times:6} × {place}  (--only {first[place]})\n")
    sys.stdout.write(f"{chosen.count:,} cases of seed {chosen.seed} in {seconds:.0f} s: {places.total()} failures\n")
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main())
