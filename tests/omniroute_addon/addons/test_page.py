"""The style sheet and the link in mitmweb's page, and nothing else changed."""

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from omniroute_addon.addons.page import ADDED, WideComments

PAGE = b"<html><head><title>mitmproxy</title></head><body></body></html>"


def transformed(kind: str, body: bytes, path: str = "/") -> tuple[HTTPHeaders, bytes]:
    headers = HTTPHeaders({"Content-Type": kind, "Content-Length": str(len(body))})
    _, headers, body = WideComments(HTTPServerRequest("GET", path)).transform_first_chunk(200, headers, body, True)
    return headers, body


def test_the_page_gets_the_style_and_its_new_length() -> None:
    headers, body = transformed("text/html; charset=UTF-8", PAGE)
    assert body == PAGE.replace(b"</head>", ADDED)
    assert headers["Content-Length"] == str(len(body))


def test_everything_else_passes_unchanged() -> None:
    headers, body = transformed("text/html", PAGE, "/omniroute/")
    assert (headers["Content-Length"], body) == (str(len(PAGE)), PAGE)
