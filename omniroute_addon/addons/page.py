"""mitmweb's page with room for our comments: a style sheet of a few lines, added to the page as it is sent."""

from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform

STYLE = b"""<style>
.flow-table .col-comment { width: 50%; text-align: left !important; }
.contentview pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; }
.contentview pre > div:empty::before { content: " "; }
</style></head>"""


class WideComments(OutputTransform):
    """For ``Application.add_transform``; everything but the page itself passes unchanged."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        if headers.get("Content-Type", "").startswith("text/html") and b"</head>" in chunk and finishing:
            chunk = chunk.replace(b"</head>", STYLE, 1)
            headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk
