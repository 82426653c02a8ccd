"""mitmweb's page with room for our comments and a way to our pages: a few lines, added to the page as it is sent.

The link leads to the page of the call whose flow is selected; the pages themselves are in ``omniroute_addon.web``.
"""

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

ADDED = b"""<style>
.flow-table .col-comment { width: 50%; text-align: left !important; }
.contentview pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; }
.contentview pre > div:empty::before { content: " "; }
#omniroute { position: fixed; inset-block-start: 2px; inset-inline-end: 140px; z-index: 10; padding: 3px 12px; border-radius: 6px;
  background: #3550c8; color: #fff; font: 600 13px system-ui, sans-serif; text-decoration: none; }
#omniroute:focus-visible { outline: 2px solid #000; outline-offset: 2px; }
</style><script src="/omniroute/static/flows.js" defer></script></head>"""


class WideComments(OutputTransform):
    """For ``Application.add_transform``; everything but the page itself passes unchanged."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self._wanted = request.path == "/"  # where mitmweb has nothing but its page

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        if self._wanted and b"</head>" in chunk and finishing:
            chunk = chunk.replace(b"</head>", ADDED, 1)
            headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk
