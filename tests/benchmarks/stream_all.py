"""The one-line addon that stock mitmdump needs to stream: without it every answer would be collected first."""

from mitmproxy import http


def responseheaders(flow: http.HTTPFlow) -> None:
    assert flow.response is not None
    flow.response.stream = True
