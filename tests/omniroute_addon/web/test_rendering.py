from omniroute_addon.web.languages import language
from omniroute_addon.web.rendering import STATIC, api, asset, render, url, with_code


def test_what_a_template_prints_is_escaped() -> None:
    words = '<script>alert("x")</script>'
    text = render(
        "error.html", language("en"), title="common.error", status=404, trouble=words, theme="auto", themes=(),
        navigation=(), resource=None, root="/omniroute", here="/omniroute/", xsrf="x",
    )  # fmt: skip
    assert ("<script>alert" in text, "&lt;script&gt;alert(&quot;x&quot;)" in text) == (False, True)


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup() -> None:
    text = with_code("Start `a <b>` or <i>; a ` alone")
    assert text == 'Start <code dir="ltr">a &lt;b&gt;</code> or &lt;i&gt;; a ` alone'


def test_addresses_are_quoted_and_leave_out_what_is_empty() -> None:
    assert url("calls/a b", q="x&y", none=None, empty="") == "/omniroute/calls/a%20b?q=x%26y"
    assert api("calls") == "/omniroute/api/calls"


def test_an_asset_s_address_names_its_content() -> None:
    for path in STATIC.iterdir():
        assert asset(path.name).startswith(f"/omniroute/static/{path.name}?v=")
