"""One upstream call as it is: no plan, no translation, no fallback."""

from omniroute_addon.config.models import Timeouts
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Dial, Sink
from omniroute_addon.engine.upstream import UpstreamError, Upstreams
from translators import FORMATS, hub


async def resend(call: Dial, form: str, upstreams: Upstreams, timeouts: Timeouts, sink: Sink) -> None:
    """Write the upstream's answer to the sink; a call that cannot be made is a 502 in the wire format ``form``."""
    try:
        answer = await upstreams.open(call, connect=timeouts.connect, idle=timeouts.idle)
    except UpstreamError as error:
        refusal = FORMATS[form].render_error(hub.Failure("server", str(error), 502))
        sink.start(refusal.status, [*refusal.headers.items(), ("content-length", str(len(refusal.body)))])
        await sink.write(refusal.body)
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
