"""Variables for a child: what is set, what of the user's is kept, and that shells read them back unchanged."""

import shutil
import subprocess
from pathlib import Path

import pytest

from omniroute_addon import environment

PROXY = "http://127.0.0.1:8080"
HOSTS = ("api.anthropic.com", "api.openai.com")
AWKWARD = {"A": "it's", "B": 'a "b" $HOME `id` \\n', "C": "back\\slash\\", "D": "", "E": "\\'"}


def variables(**base: str) -> dict[str, str]:
    return environment.variables(PROXY, ca_cert=Path("/ca.pem"), bundle=Path("/all.pem"), base_env=base, hosts=HOSTS)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_calls_go_to_the_proxy(name: str) -> None:
    assert variables()[name] == PROXY


@pytest.mark.parametrize("name", ["NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE"])
def test_our_ca_is_added_where_a_variable_adds(name: str) -> None:
    assert variables()[name] == "/ca.pem"


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_full_bundle_is_given_where_a_variable_replaces(name: str) -> None:
    assert variables()[name] == "/all.pem"


def test_plain_http_does_not_come_through_the_proxy() -> None:
    assert not {"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} & variables().keys()


@pytest.mark.parametrize("tool", environment.TOOLS, ids=lambda tool: tool.command)
def test_every_known_tool_learns_our_ca(tool: environment.Tool) -> None:
    assert set(tool.trust) <= variables().keys()


def test_loopback_goes_past_the_proxy() -> None:
    assert variables()["NO_PROXY"] == "127.0.0.1,localhost,::1"


def test_both_spellings_of_no_proxy_say_the_same() -> None:
    values = variables(NO_PROXY="a.test", no_proxy="b.test, localhost")
    assert values["NO_PROXY"] == values["no_proxy"] == "a.test,b.test,localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    "entry", ["*", "anthropic.com", ".anthropic.com", "*.anthropic.com", "API.OpenAI.com", "api.openai.com:443"]
)
def test_an_entry_that_would_bypass_a_surface_is_taken_out(entry: str) -> None:
    assert variables(NO_PROXY=f"intranet.test,{entry}")["NO_PROXY"] == "intranet.test,127.0.0.1,localhost,::1"


@pytest.mark.parametrize("entry", ["thropic.com", "console.anthropic.com", "10.0.0.0/8", "::1", "."])
def test_any_other_entry_is_kept(entry: str) -> None:
    assert entry in environment.no_proxy({"no_proxy": entry}, HOSTS).split(",")


def test_bypassing_entries_are_named() -> None:
    assert environment.bypassing({"NO_PROXY": "a.test,.openai.com"}, HOSTS) == (".openai.com",)


@pytest.mark.parametrize("command", ["claude", "/opt/bin/claude", "claude.cmd"])
def test_a_tool_is_known_by_name_or_path(command: str) -> None:
    tool = environment.tool_named(command)
    assert tool is not None
    assert tool.title == "Claude Code"


def test_a_stranger_is_no_known_tool() -> None:
    assert environment.tool_named("vim") is None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_reads_the_exports_back_unchanged(shell: environment.Shell) -> None:
    if (executable := shutil.which(shell)) is None:
        pytest.skip(f"{shell} is not installed")
    lines = "\n".join(environment.exports(AWKWARD, shell))
    result = subprocess.run([executable, "-c", lines + "\nenv -0"], capture_output=True, check=True)
    said = dict(pair.split(b"=", 1) for pair in result.stdout.split(b"\0") if pair)
    assert {name: said[name.encode()].decode() for name in AWKWARD} == AWKWARD


def test_fish_words() -> None:
    assert environment.exports({"A": "it's \\"}, "fish") == ["set -gx A 'it\\'s \\\\'"]


def test_powershell_words() -> None:
    assert environment.exports({"A": "it's"}, "powershell") == ["$env:A = 'it''s'"]


@pytest.mark.parametrize(
    "url, key, expected",
    [
        (PROXY, None, PROXY),
        ("http://0.0.0.0:8080", None, PROXY),
        ("http://[::]:8080", None, "http://[::1]:8080"),
        ("http://[::1]:8080", "k", "http://omniroute:k@[::1]:8080"),
        (PROXY, "k/e:y@", "http://omniroute:k%2Fe%3Ay%40@127.0.0.1:8080"),
    ],
)
def test_a_tool_here_gets_an_address_that_it_can_dial_and_its_key(url: str, key: str | None, expected: str) -> None:
    assert environment.proxy_address(url, key) == expected
