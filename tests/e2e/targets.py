"""YAML for the proxies under test: a loopback provider as a target of each format."""

from tests.servers.answers import FORMATS
from tests.servers.provider import Provider


def targets(**providers: Provider) -> str:
    """A ``providers:`` section in which ``NAME-FORMAT/model`` is a target at the provider of that name."""
    lines = [
        f"  {name}-{form}: {{format: {form}, base_url: '{provider.url(form)}', auth: none}}"
        for name, provider in providers.items()
        for form in FORMATS
    ]
    return "\n".join(["providers:", *lines, ""])


def routes(*targets: str) -> str:
    """Every call goes to these targets, in order."""
    return f"routes: [{{match: {{model: '*'}}, to: [{', '.join(targets)}]}}]\n"
