"""The YAML's own picture of other types keeps up with them."""

from dataclasses import fields

from omniroute_addon.config.schema import ProfileSpec
from translators.format import Profile


def test_a_profile_in_yaml_has_the_fields_and_defaults_of_the_translators_profile() -> None:
    assert ProfileSpec().model_dump() == {entry.name: getattr(Profile(), entry.name) for entry in fields(Profile)}
