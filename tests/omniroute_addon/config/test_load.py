"""YAML in, a snapshot or every problem out."""

import textwrap
from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError, load, parse
from omniroute_addon.config.models import Address, Snapshot

FILE = Path("rules.yaml")


def snapshot(text: str, env: dict[str, str] | None = None, **more: object) -> Snapshot:
    return parse(textwrap.dedent(text), FILE, env=env or {}, **more)


def problems(text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        snapshot(text, env)
    return str(caught.value).splitlines()


DESIGN = """\
version: 1
listen:   {proxy: 127.0.0.1:8080, gateway: 127.0.0.1:20128, web: 127.0.0.1:8081}
providers:
  glm:   {base_url: "http://127.0.0.1:9101/v1/messages"}
  local: {format: openai-chat, base_url: "http://127.0.0.1:8000/v1/chat/completions", auth: bearer, tier: free}
accounts:
  - {name: glm-main, provider: glm, key: "${GLM_API_KEY}"}
  - {name: spare,    provider: glm, key: {vault: glm-spare}, priority: 2}
combos:
  premium-coding:
    strategy: priority
    targets: [origin, glm/glm-4.7, {target: minimax/MiniMax-M2.1, weight: 2}]
routes:
  - {match: {client: claude-code, model: "claude-*"}, to: premium-coding}
  - {match: {client: codex}, to: local/qwen3-coder}
aliases: {"gpt-*": gh/gpt-5.1-codex}
"""


def test_the_example_of_the_design_loads() -> None:
    loaded = snapshot(DESIGN, {"GLM_API_KEY": "k"}, secrets={"glm-spare": "s"}.get)
    assert [target.target for target in loaded.combos["premium-coding"].targets][1] == "glm/glm-4.7"
    assert [account.key.get_secret_value() for account in loaded.accounts_of("glm") if account.key] == ["k", "s"]
    assert loaded.warnings == ()


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    loaded = load(env={"OMNIROUTE_HOME": str(tmp_path)})
    assert (loaded.source, loaded.routes, loaded.listen.gateway) == (None, (), Address("127.0.0.1", 20128))


def test_the_file_of_the_data_dir_is_found(tmp_path: Path) -> None:
    (tmp_path / "omniroute.yaml").write_text("version: 1\naliases: {fast: origin}\n")
    assert load(env={"OMNIROUTE_HOME": str(tmp_path)}).aliases == {"fast": "origin"}


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml", env={})


def test_a_secret_never_shows_in_a_snapshot() -> None:
    assert "hidden-value" not in repr(snapshot(DESIGN, {"GLM_API_KEY": "hidden-value"}))


# ── listeners ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_null_switches_a_listener_off_and_leaves_the_others() -> None:
    listen = snapshot("{version: 1, listen: {web: null, proxy: '127.0.0.1:0'}}").listen
    assert (listen.web, listen.proxy, listen.gateway) == (None, Address("127.0.0.1", 0), Address("127.0.0.1", 20128))


def test_an_ipv6_listener_keeps_its_brackets() -> None:
    assert str(snapshot("{version: 1, listen: {proxy: '[::1]:9'}}").listen.proxy) == "[::1]:9"


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "192.168.1.2:80", "example.com:80", "[::]:80"])
def test_binding_wider_than_loopback_is_an_error(address: str) -> None:
    [problem] = problems(f"version: 1\nlisten:\n  proxy: '{address}'\n")
    assert problem.startswith("rules.yaml:3: listen.proxy:")
    assert "loopback" in problem


@pytest.mark.parametrize("address", ["8080", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", ":80"])
def test_an_address_must_be_host_and_port(address: str) -> None:
    assert "HOST:PORT" in problems(f"version: 1\nlisten:\n  proxy: '{address}'\n")[0]


# ── problems and their places ───────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_key_has_line_path_and_what_was_meant() -> None:
    text = "version: 1\nroutes:\n  - match: {modle: x}\n    to: origin\n"
    assert problems(text) == ["rules.yaml:3: routes[0].match.modle: unknown key 'modle'; did you mean 'model'?"]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("version: 1\nrout: []", "rules.yaml:2: rout: unknown key 'rout'; did you mean 'routes'?"),
        (
            "version: 1\nproviders:\n  x: {base_ulr: a}",
            "rules.yaml:3: providers.x.base_ulr: unknown key 'base_ulr'; did you mean 'base_url'?",
        ),
        (
            "version: 1\nproviders:\n  glm:\n    profile:\n      max_tool: 3",
            "rules.yaml:5: providers.glm.profile.max_tool: unknown key 'max_tool'; did you mean 'max_tools'?",
        ),
        (
            "version: 1\ncombos:\n  a:\n    targets: [{target: origin, wieght: 2}]",
            "rules.yaml:4: combos.a.targets[0].wieght: unknown key 'wieght'; did you mean 'weight'?",
        ),
        (
            "version: 1\ntimeouts: {conect: 3}",
            "rules.yaml:2: timeouts.conect: unknown key 'conect'; did you mean 'connect'?",
        ),
        ("version: 1\naccounts:\n  - {name: a}", "rules.yaml:3: accounts[0]: key 'provider' is missing"),
        ("version: 2", "rules.yaml:1: version: must be 1"),
        ("routes: []", "rules.yaml:1: key 'version' is missing"),
        ("[1, 2]", "rules.yaml:1: the file must be a mapping of keys to values"),
    ],
)
def test_a_wrong_shape_is_told_with_its_place(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_several_problems_come_at_once_in_the_order_of_the_file() -> None:
    found = problems("version: 1\nview: {max_flows: 0}\ncombos: {a: {targets: []}}\nlimits: {inline_wait: x}\n")
    assert [line.partition(": ")[0] for line in found] == ["rules.yaml:2", "rules.yaml:3", "rules.yaml:4"]


def test_yaml_that_does_not_parse_has_a_line() -> None:
    [problem] = problems("version: 1\nroutes: [\n")
    assert problem.startswith("rules.yaml:3: not YAML:")


def test_a_key_named_twice_is_an_error() -> None:
    assert problems("version: 1\naliases:\n  a: origin\n  a: origin\n") == [
        "rules.yaml:4: aliases.a: named twice; the first is in line 3"
    ]


def test_python_tags_are_not_constructed() -> None:
    assert problems("version: !!python/object/apply:os.getcwd []\n") == ["rules.yaml:1: version: must be 1"]


def test_aliases_that_unfold_without_end_are_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert "too large" in problems(bomb)[0]


def test_a_merge_key_brings_the_other_mapping_in() -> None:
    text = """\
    version: 1
    providers:
      one: &one {base_url: "http://127.0.0.1:1/v1/messages", tier: free}
      two: {<<: *one, tier: cheap}
    """
    two = snapshot(text).providers["two"]
    assert (two.base_url, two.tier) == ("http://127.0.0.1:1/v1/messages", "cheap")


# ── environment ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_variables_are_put_in_anywhere() -> None:
    text = "version: 1\nproviders:\n  x: {base_url: 'http://${HOST}:9/v1/messages'}\n"
    assert snapshot(text, {"HOST": "127.0.0.1"}).providers["x"].base_url == "http://127.0.0.1:9/v1/messages"


def test_an_unset_variable_outside_of_keys_is_an_error() -> None:
    assert problems("version: 1\nproviders:\n  x: {base_url: '${HERE}'}\n") == [
        "rules.yaml:3: providers.x.base_url: environment variable HERE is not set"
    ]


@pytest.mark.parametrize("key", ['"${NOPE}"', "{env: NOPE}", "{vault: NOPE}"])
def test_an_account_without_its_key_is_a_warning(key: str) -> None:
    loaded = snapshot(f"version: 1\naccounts:\n  - {{name: a, provider: glm, key: {key}}}\n")
    [account] = loaded.accounts_of("glm")
    assert account.key is None
    assert "NOPE" in (account.missing or "")
    assert str(loaded.warnings[0]).startswith("rules.yaml:3: accounts[0].key: account a has no key")


def test_an_account_without_key_is_fine_where_none_is_needed() -> None:
    text = (
        "version: 1\nproviders: {x: {base_url: 'http://127.0.0.1:1/v1/messages'}}\naccounts: [{name: a, provider: x}]"
    )
    assert snapshot(text).accounts_of("x")[0].missing is None


def test_the_registrys_variable_makes_an_account() -> None:
    [account] = snapshot("version: 1", {"GROQ_API_KEY": "k"}).accounts_of("groq")
    assert (account.name, account.implicit) == ("$GROQ_API_KEY", True)


def test_an_account_of_the_file_goes_before_the_registrys_variable() -> None:
    text = "version: 1\naccounts: [{name: mine, provider: groq, key: '${OTHER}'}]"
    loaded = snapshot(text, {"GROQ_API_KEY": "k", "OTHER": "o"})
    assert [account.name for account in loaded.accounts_of("groq")] == ["mine"]


def test_accounts_stand_by_priority() -> None:
    text = """\
    version: 1
    accounts:
      - {name: late, provider: glm, key: a, priority: 2}
      - {name: first, provider: glm, key: b}
      - {name: second, provider: glm, key: c}
    """
    assert [account.name for account in snapshot(text).accounts_of("glm")] == ["first", "second", "late"]


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            "version: 1\nroutes:\n  - to: glmm/x",
            "rules.yaml:3: routes[0].to: target 'glmm/x' has an unknown provider 'glmm'; did you mean 'glm'?",
        ),
        (
            "version: 1\ncombos:\n  premium: {targets: [origin]}\nroutes:\n  - to: premum",
            "rules.yaml:5: routes[0].to: unknown target 'premum'; did you mean 'premium'?",
        ),
        ("version: 1\naliases:\n  x: glm/", "rules.yaml:3: aliases.x: target 'glm/' names no model"),
        (
            "version: 1\naccounts:\n  - {name: a, provider: gml, key: x}",
            "rules.yaml:3: accounts[0].provider: unknown provider 'gml'; did you mean 'glm'?",
        ),
        ("version: 1\ncombos:\n  a/b: {targets: [origin]}", "rules.yaml:3: combos.a/b: a combo cannot be called 'a/b'"),
        (
            "version: 1\ncombos:\n  a: {strategy: best, targets: [origin]}",
            (
                "rules.yaml:3: combos.a.strategy: unknown strategy 'best'; strategies are priority, round-robin, random, "
                "weighted, least-used, cost-optimized, tiered"
            ),
        ),
    ],
)
def test_a_name_that_means_nothing_is_told(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_account_names_are_unique() -> None:
    text = "version: 1\naccounts:\n  - {name: a, provider: glm, key: x}\n  - {name: a, provider: glm, key: y}"
    assert problems(text) == ["rules.yaml:4: accounts[1].name: account 'a' is named twice"]


def test_combos_in_a_circle_are_an_error() -> None:
    found = problems("version: 1\ncombos:\n  a: {targets: [b]}\n  b: {targets: [a]}\n")
    assert found[0] == "rules.yaml:3: combos.a: goes round in a circle: a → b → a"


def test_combos_nest_three_deep() -> None:
    text = "version: 1\ncombos: {a: {targets: [b]}, b: {targets: [c]}, c: {targets: [origin]}}"
    assert len(snapshot(text).combos) == 3


def test_combos_nest_no_deeper() -> None:
    text = "version: 1\ncombos: {a: {targets: [b]}, b: {targets: [c]}, c: {targets: [d]}, d: {targets: [origin]}}"
    assert problems(text) == ["rules.yaml:2: combos.a: nests deeper than 3: a → b → c → d"]


# ── providers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_override_keeps_what_it_does_not_say() -> None:
    glm = snapshot("version: 1\nproviders: {glm: {base_url: 'http://127.0.0.1:1/v1/messages'}}").providers["glm"]
    assert (glm.format, glm.auth.kind, glm.overridden, glm.keyless) == ("anthropic-messages", "x-api-key", True, True)


def test_an_override_may_use_a_prefix() -> None:
    loaded = snapshot("version: 1\nproviders: {ds: {enabled: false}}")
    assert loaded.providers["deepseek"].enabled is False
    assert "ds" not in loaded.providers


def test_an_overridden_address_tells_its_format() -> None:
    loaded = snapshot("version: 1\nproviders: {openai: {base_url: 'http://127.0.0.1:1/v1/responses'}}")
    assert loaded.providers["openai"].format == "openai-responses"


def test_an_overridden_address_leaves_no_way_to_the_registrys_host() -> None:
    loaded = snapshot("version: 1\nproviders: {openrouter: {base_url: 'http://127.0.0.1:1/v1/chat/completions'}}")
    called = loaded.providers["openrouter"].speaking("anthropic-messages", "x")
    assert called.base_url == "http://127.0.0.1:1/v1/chat/completions"


def test_models_of_an_override_are_added() -> None:
    names = [
        model.name for model in snapshot("version: 1\nproviders: {glm: {models: [glm-9]}}").providers["glm"].models
    ]
    assert names[-1] == "glm-9"
    assert "glm-4.7" in names


def test_a_profile_override_keeps_the_other_fields() -> None:
    loaded = snapshot("version: 1\nproviders: {groq: {profile: {max_tools: 5}}}")
    profile = loaded.providers["groq"].profile("llama-3.3-70b-versatile")
    assert (profile.max_tools, profile.reasoning_field) == (5, "reasoning")


def test_a_provider_needs_an_address() -> None:
    [problem] = problems("version: 1\nproviders:\n  mine: {format: openai-chat}\n")
    assert problem.startswith("rules.yaml:3: providers.mine: key 'base_url' is missing")


def test_an_address_that_does_not_end_like_its_format_is_a_warning() -> None:
    loaded = snapshot("version: 1\nproviders:\n  x: {format: openai-chat, base_url: 'http://127.0.0.1:1/v1'}\n")
    assert "does not end with /chat/completions" in str(loaded.warnings[0])


def test_a_prefix_belongs_to_one_provider() -> None:
    text = "version: 1\nproviders:\n  x: {prefixes: [ds], base_url: 'http://127.0.0.1:1/v1/messages'}\n"
    assert problems(text) == ["rules.yaml:3: providers.x.prefixes[0]: prefix 'ds' belongs to deepseek"]


def test_a_header_may_carry_the_key() -> None:
    text = "version: 1\nproviders: {x: {auth: {header: X-Key}, base_url: 'http://127.0.0.1:1/v1/messages'}}"
    assert snapshot(text).providers["x"].auth.header("k") == ("x-key", "k")


@pytest.mark.parametrize(
    "entry, keyless",
    [
        ("{base_url: 'http://10.0.0.9/v1/messages'}", True),
        ("{base_url: 'http://localhost:1/v1/messages'}", True),
    ],
)
def test_ones_own_provider_without_accounts_needs_no_key(entry: str, keyless: bool) -> None:
    assert snapshot(f"version: 1\nproviders: {{mine: {entry}}}").providers["mine"].keyless is keyless


def test_ones_own_remote_provider_with_accounts_needs_their_key() -> None:
    text = "version: 1\nproviders: {x: {base_url: 'https://a.example/v1/messages'}}\naccounts: [{name: a, provider: x}]"
    loaded = snapshot(text)
    assert loaded.accounts_of("x")[0].missing == "the account has no 'key'"
    assert loaded.accounts == loaded.accounts_of("x")


# ── sizes and surfaces ──────────────────────────────────────────────────────────────────────────────────────────────


def test_sizes_may_have_units() -> None:
    assert snapshot("version: 1\nview: {max_bytes: 64MiB}").view.max_bytes == 64 * 1024 * 1024


def test_a_surface_can_be_added() -> None:
    text = """\
    version: 1
    surfaces:
      mine:
        {client: my-tool, format: openai-chat, provider: openai, hosts: [LLM.example], paths: {generate: /chat}}
    """
    assert snapshot(text).surfaces.by_host["llm.example"][0].client == "my-tool"


def test_a_surface_needs_a_known_provider() -> None:
    text = "version: 1\nsurfaces: {s: {client: c, format: gemini, provider: nobody, hosts: [h], paths: {generate: /}}}"
    assert problems(text) == ["rules.yaml:2: surfaces.s.provider: unknown provider 'nobody'"]
