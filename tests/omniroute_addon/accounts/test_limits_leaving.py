"""Who leaves the line in the same turn of the loop in which a place comes free takes no place with them."""

import asyncio

from omniroute_addon.accounts.limits import Lane, Limits
from omniroute_addon.config.governance import Rates

ONE = Rates(concurrency=1)


def test_a_place_that_comes_free_as_somebody_leaves_goes_to_the_next() -> None:
    async def main() -> None:
        lane: Lane = Limits().lane("a")
        holder = object()
        assert await lane.take(holder, ONE, 5) is None
        leaver, stayer = (asyncio.create_task(lane.take(object(), ONE, 5)) for _ in range(2))
        await asyncio.sleep(0)
        leaver.cancel()
        lane.end(holder)
        assert await asyncio.wait_for(stayer, 1) is None

    asyncio.run(main())
