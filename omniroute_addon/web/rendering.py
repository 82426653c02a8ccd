"""Templates and what they can use. Everything they print is escaped; ``{% raw %}`` is for our own markup only.

In every template: ``t`` (the words of a key), ``with_code`` (markup of words with code between backticks), ``figures`` (numbers
and times), ``url`` (of a page), ``api`` (of a JSON answer), ``asset`` (of a script or style sheet), ``language``, ``theme``,
``data`` (what the page shows).
"""

import hashlib
import re
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode

import orjson
from tornado.escape import xhtml_escape
from tornado.template import Loader

from omniroute_addon.web import figures
from omniroute_addon.web.languages import LANGUAGES, Language
from omniroute_addon.web.resource import ROOT

HERE = Path(__file__).parent
STATIC = HERE / "static"
THEMES = ("auto", "light", "dark")
_CODE = re.compile("`([^`]+)`")


def url(path: str = "", /, **query: object) -> str:
    """The address of a page; what is None in the query is left out."""
    return f"{ROOT}/{quote(path)}{_query(query)}"


def api(path: str, /, **query: object) -> str:
    return f"{ROOT}/api/{quote(path)}{_query(query)}"


def in_json(value: object) -> str:
    """For the ``data-body`` of a button."""
    return orjson.dumps(value).decode()


def with_code(text: str) -> str:
    """Markup: what stands between backticks is code, all else is escaped."""
    return _CODE.sub(r'<code dir="ltr">\1</code>', xhtml_escape(text))


def _query(query: dict[str, object]) -> str:
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""


@cache
def asset(name: str) -> str:
    """The address of a file in ``static``; it changes with the file, so that browsers may keep it."""
    mark = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"{ROOT}/static/{name}?v={mark}"


@cache
def _loader() -> Loader:
    return Loader(str(HERE / "templates"), autoescape="xhtml_escape")


def render(template: str, language: Language, **values: object) -> str:
    """The template's text."""
    text: bytes = (
        _loader()
        .load(template)
        .generate(
            t=language.say, with_code=with_code, language=language, languages=LANGUAGES, figures=figures, url=url, api=api,
            asset=asset, **values,
        )
    )  # fmt: skip
    return text.decode()
