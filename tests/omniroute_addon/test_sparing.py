"""What a headless proxy does not import, and that mitmproxy is whole for whoever wants all of it.

Each in a process of its own: what is imported stays imported.
"""

import subprocess
import sys

from tests.servers.proxy import ROOT

SPARE = "from omniroute_addon.sparing import addons_one_by_one as spare\n"


def _said(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.strip()


def test_an_addon_comes_alone() -> None:
    code = "spare()\nimport sys\nfrom mitmproxy.addons import core\nimport mitmproxy.addons.tlsconfig\n"
    assert _said(SPARE + code + "print(core.Core.__name__, 'flask' in sys.modules)") == "Core False"


def test_whoever_asks_for_all_addons_gets_what_mitmproxy_gives() -> None:
    code = "from mitmproxy import addons\nprint([type(one).__name__ for one in addons.default_addons()])"
    assert _said(SPARE + "spare()\nfrom mitmproxy.addons import core\n" + code) == _said(code)


def test_an_addon_that_mitmproxy_does_not_have_is_missed_as_ever() -> None:
    code = "spare()\ntry:\n    from mitmproxy.addons import nonsense\nexcept ImportError:\n    print('missing')"
    assert _said(SPARE + code) == "missing"


def test_what_is_imported_already_stays_as_it_is() -> None:
    code = "import mitmproxy.addons as before\nspare()\nimport mitmproxy.addons as after\nprint(before is after)"
    assert _said(SPARE + code) == "True"


def test_a_headless_proxy_starts_without_what_is_for_looking() -> None:
    code = (
        "spare()\nimport sys\nimport omniroute_addon.proxy\n"
        "print([name for name in ('flask', 'ldap3', 'mitmproxy.tools.web', 'genai_prices') if name in sys.modules])"
    )
    assert _said(SPARE + code) == "[]"


def test_a_command_starts_without_mitmproxy() -> None:
    code = (
        "import sys\nfrom omniroute_addon.cli import app\nfrom omniroute_addon.cli.options import snapshot_of\n"
        "snapshot_of(None)\n"
        "print([name for name in ('mitmproxy', 'tornado', 'aiohttp', 'httpx', 'rich') if name in sys.modules])"
    )
    assert _said(code) == "[]"
