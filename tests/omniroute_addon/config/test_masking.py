"""Rule files shown without their secrets: where YAML has them, in comments, and when the file is broken."""

import pytest

from omniroute_addon.config.masking import MASK, masked

SECRET = "the-canary-0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"accounts:\n  - {{name: a, provider: glm, key: {SECRET}}}\n",
        f'accounts:\n  - name: a\n    key: "{SECRET}"   # mine\n',
        f"accounts:\n  - name: a\n    key:\n      {SECRET}\n    provider: glm\n",
        f"accounts:\n  - name: a\n    key: |\n      {SECRET}\n    provider: glm\n",
        f"accounts:\n  - name: a\n    key: >-\n      {SECRET}\n      more\n    provider: glm\n",
        f"accounts:\n  - {{name: a, key: {{value: {SECRET}}}}}\n",
        f"keys: [{{name: a, key: '{SECRET}'}}]\n",
        f"accounts: [{{name: a, key: &k {SECRET}}}, {{name: b, key: *k}}]\n",
        f"x: &k {SECRET}\naccounts: [{{name: b, key: *k}}]\n",
        f"providers: {{mine: {{headers: {{x-mine: {SECRET}}}}}}}\n",
        f"providers: {{mine: {{base_url: 'https://me:{SECRET}@host/v1'}}}}\n",
        f"# - {{name: old, key: {SECRET}}}\nversion: 1\n",
        f"version: 1 # key: '{SECRET}'\n",
        f"accounts:\n  - {{name: a, key: {SECRET}}}\nroutes: [ # {SECRET}\n  - x]\n",
    ],
)
def test_a_secret_is_masked_and_lines_stay_where_they_are(text: str) -> None:
    only_yaml_tells = "&k" in text or "x-mine" in text
    for file in [text] if only_yaml_tells else [text, f"{text}\tno: [yaml\n"]:
        shown = masked(file)
        assert SECRET not in shown
        assert MASK in shown
        assert shown.count("\n") == file.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        'accounts: [{name: a, key: "${GLM_API_KEY}"}, {name: b, key: {vault: b}}, {name: c, key: {env: C}}]\n',
        "routes:\n  - {match: {key: intern-*, model: m}, to: origin}\n",
        "version: 1\n",
        "",
    ],
)
def test_what_only_names_a_secret_stays(text: str) -> None:
    assert masked(text) == text
