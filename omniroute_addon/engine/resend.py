"""One upstream call again, as it is: no plan, no translation, no fallback. What replaying an attempt does."""

import orjson

from omniroute_addon.config.models import Timeouts
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Dial, Sink
from omniroute_addon.engine.upstream import UpstreamError, Upstreams


async def resend(call: Dial, upstreams: Upstreams, timeouts: Timeouts, sink: Sink) -> None:
    """Write the upstream's answer to the sink; a call that cannot be made is a 502 that says why."""
    try:
        answer = await upstreams.open(call, connect=timeouts.connect, idle=timeouts.idle)
    except UpstreamError as error:
        sink.start(502, [("content-type", "application/json")])
        await sink.write(orjson.dumps({"error": {"type": error.kind, "message": str(error)}}))
        sink.finish()
        return
    async with answer:
        sink.start(answer.status, header_rules.of_answer(answer.headers))
        try:
            async for chunk in answer.chunks():
                await sink.write(chunk)
        except UpstreamError:
            sink.abort()
            return
    sink.finish()
