"""The CA: what it may vouch for, in the eyes of openssl and of Python's ssl, with leaves as mitmproxy makes them."""

import contextlib
import datetime as dt
import ipaddress
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mitmproxy.certs import CertStore, CertStoreEntry

from omniroute_addon import ca

HOSTS = ("api.anthropic.com", "generativelanguage.googleapis.com", "*.example-llm.test")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ca"


@pytest.fixture
def authority(directory: Path) -> ca.Authority:
    return ca.ensure(directory, HOSTS)


def leaf(authority: ca.Authority, name: x509.GeneralName) -> CertStoreEntry:
    """A certificate as the proxy hands it to a client that asks for ``name``."""
    store = CertStore.from_store(authority.directory, "mitmproxy", 2048)
    return store.get_cert(str(name.value), [name])


def write_leaf(entry: CertStoreEntry, directory: Path) -> Path:
    path = directory / "leaf.pem"
    key = entry.privatekey.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(entry.cert.to_pem() + key)
    return path


def openssl_verify(authority: ca.Authority, certificate: Path, *options: str) -> subprocess.CompletedProcess[str]:
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("openssl is not installed")
    command = [openssl, "verify", *options, "-CAfile", str(authority.cert_path), str(certificate)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def tls_server(certificate: Path) -> Generator[int]:
    """A TLS server on loopback that does one handshake; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=5)


def handshake(port: int, name: str, trust: Path) -> str | None:
    """What a strict Python client says to the server's certificate: the protocol version."""
    context = ssl.create_default_context(cafile=str(trust))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        return tls.version()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_openssl_accepts_a_leaf_for_a_surface_host(authority: ca.Authority, tmp_path: Path) -> None:
    certificate = write_leaf(leaf(authority, x509.DNSName("api.anthropic.com")), tmp_path)
    result = openssl_verify(authority, certificate, "-x509_strict", "-verify_hostname", "api.anthropic.com")
    assert result.returncode == 0, result.stderr


def test_openssl_accepts_a_leaf_for_a_host_of_a_glob(authority: ca.Authority, tmp_path: Path) -> None:
    certificate = write_leaf(leaf(authority, x509.DNSName("eu.example-llm.test")), tmp_path)
    assert openssl_verify(authority, certificate).returncode == 0


@pytest.mark.parametrize(
    "name", ["example.com", "anthropic.com", "console.anthropic.com", "notapi.anthropic.com", "googleapis.com"]
)
def test_openssl_rejects_a_leaf_for_any_other_host(authority: ca.Authority, tmp_path: Path, name: str) -> None:
    result = openssl_verify(authority, write_leaf(leaf(authority, x509.DNSName(name)), tmp_path))
    assert "permitted subtree violation" in result.stderr


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_openssl_rejects_a_leaf_for_an_address(authority: ca.Authority, tmp_path: Path, address: str) -> None:
    name = x509.IPAddress(ipaddress.ip_address(address))
    result = openssl_verify(authority, write_leaf(leaf(authority, name), tmp_path))
    assert "excluded subtree violation" in result.stderr


def test_a_strict_client_shakes_hands_for_a_surface_host(authority: ca.Authority, tmp_path: Path) -> None:
    certificate = write_leaf(leaf(authority, x509.DNSName("api.anthropic.com")), tmp_path)
    with tls_server(certificate) as port:
        assert handshake(port, "api.anthropic.com", authority.cert_path) == "TLSv1.3"


def test_a_strict_client_refuses_another_host(authority: ca.Authority, tmp_path: Path) -> None:
    certificate = write_leaf(leaf(authority, x509.DNSName("example.com")), tmp_path)
    with (
        tls_server(certificate) as port,
        pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"),
    ):
        handshake(port, "example.com", authority.cert_path)


def test_a_strict_client_trusts_the_bundle(authority: ca.Authority, tmp_path: Path) -> None:
    certificate = write_leaf(leaf(authority, x509.DNSName("api.anthropic.com")), tmp_path)
    with tls_server(certificate) as port:
        assert handshake(port, "api.anthropic.com", ca.bundle(authority, {})) == "TLSv1.3"


def test_a_surface_at_an_address_is_covered_and_no_other_address(directory: Path, tmp_path: Path) -> None:
    authority = ca.ensure(directory, ("127.0.0.1",))
    here, there = (x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "127.0.0.2"))
    verdicts = [
        openssl_verify(authority, write_leaf(leaf(authority, name), tmp_path)).returncode for name in (here, there)
    ]
    assert verdicts == [0, 2]


def test_a_ca_for_addresses_alone_vouches_for_no_name(directory: Path, tmp_path: Path) -> None:
    authority = ca.ensure(directory, ("127.0.0.1",))
    result = openssl_verify(authority, write_leaf(leaf(authority, x509.DNSName("example.com")), tmp_path))
    assert "permitted subtree violation" in result.stderr


def test_mitmproxy_finds_everything_and_makes_nothing(authority: ca.Authority) -> None:
    before = {path.name for path in authority.directory.iterdir()}
    CertStore.from_store(authority.directory, "mitmproxy", 2048)
    assert {path.name for path in authority.directory.iterdir()} == before


def test_only_the_owner_can_read_the_key(authority: ca.Authority) -> None:
    assert (mode(authority.directory), mode(authority.key_path)) == (0o700, 0o600)


def test_the_public_files_hold_no_key(authority: ca.Authority) -> None:
    public = [path for path in authority.directory.iterdir() if path != authority.key_path]
    assert not [path for path in public if b"PRIVATE KEY" in path.read_bytes()]


def test_it_is_made_once(authority: ca.Authority) -> None:
    assert ca.ensure(authority.directory, ("other.test",)).fingerprint == authority.fingerprint


def test_it_is_made_in_a_directory_that_has_other_files(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / "notes.txt").write_text("mine")
    ca.ensure(directory, HOSTS)
    assert {"notes.txt", ca.KEY_FILE} <= {path.name for path in directory.iterdir()}


def test_two_at_once_agree_on_one(directory: Path) -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(ca.ensure(directory, HOSTS).fingerprint)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert len(set(made)) == 1


def test_there_is_none_before_the_first_use(directory: Path) -> None:
    assert ca.load(directory) is None


def test_a_file_without_certificate_is_named(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / ca.KEY_FILE).write_text("nonsense")
    with pytest.raises(ca.CAError, match=r"mitmproxy-ca\.pem: holds no certificate"):
        ca.load(directory)


def test_a_file_without_its_key_is_named(authority: ca.Authority) -> None:
    path = authority.directory / ca.KEY_FILE
    path.write_text(authority.pem)
    with pytest.raises(ca.CAError, match=r"mitmproxy-ca\.pem: holds no key"):
        ca.load(authority.directory)


@pytest.mark.parametrize("content", [None, b"", b"junk", b"-----BEGIN CERTIFICATE-----\nMII"], ids=str)
def test_what_tools_trust_is_written_again(
    authority: ca.Authority, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    good = authority.cert_path.read_bytes()
    if content is None:
        authority.cert_path.unlink()
    else:
        authority.cert_path.write_bytes(content)
    for _ in range(2):
        ca.ensure(authority.directory, ["api.openai.com"])
    assert authority.cert_path.read_bytes() == good
    assert [record.getMessage().endswith("was damaged and is written again") for record in caplog.records] == [True]


def test_no_host_at_all_is_refused(directory: Path) -> None:
    with pytest.raises(ca.CAError, match="no surfaces"):
        ca.ensure(directory, ())


def test_its_hosts_are_read_back(authority: ca.Authority) -> None:
    assert authority.hosts == {"api.anthropic.com", "generativelanguage.googleapis.com", "example-llm.test"}


def test_hosts_that_it_does_not_cover_are_named(authority: ca.Authority) -> None:
    asked = ("API.anthropic.com", "x.api.anthropic.com", "eu.example-llm.test", "api.openai.com", "10.0.0.1")
    assert authority.missing(asked) == ("10.0.0.1", "api.openai.com")


def test_it_lives_two_years(authority: ca.Authority) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=700)
    assert (authority.expired(soon), authority.expired(soon + dt.timedelta(days=60))) == (False, True)


def test_rotation_covers_the_new_hosts(authority: ca.Authority) -> None:
    fresh, _ = ca.rotate(authority.directory, ("api.openai.com",))
    assert fresh.hosts == {"api.openai.com"}


def test_rotation_keeps_the_old_key(authority: ca.Authority) -> None:
    old = authority.key_path.read_bytes()
    _, backup = ca.rotate(authority.directory, HOSTS)
    assert backup is not None
    assert (backup / ca.KEY_FILE).read_bytes() == old


def test_rotation_twice_in_a_second_keeps_both(authority: ca.Authority) -> None:
    backups = {ca.rotate(authority.directory, HOSTS)[1] for _ in range(3)}
    assert len(backups) == 3


def test_the_bundle_holds_the_system_roots_and_our_ca(authority: ca.Authority) -> None:
    text = ca.bundle(authority, {}).read_text()
    assert text.count("BEGIN CERTIFICATE") > 50
    assert authority.pem.strip() in text


def test_the_bundle_follows_a_rotation(authority: ca.Authority) -> None:
    ca.bundle(authority, {})
    fresh, _ = ca.rotate(authority.directory, HOSTS)
    text = ca.bundle(fresh, {}).read_text()
    assert (fresh.pem.strip() in text, authority.pem.strip() in text) == (True, False)


def test_the_bundle_is_left_alone_when_nothing_changed(authority: ca.Authority) -> None:
    before = ca.bundle(authority, {}).stat().st_ino
    assert ca.bundle(authority, {}).stat().st_ino == before


@pytest.fixture
def corporate(tmp_path: Path) -> ca.Authority:
    """A root of the user's own, as behind a company firewall."""
    return ca.ensure(tmp_path / "corporate", ("intranet.test",))


def test_the_bundle_keeps_the_roots_that_the_user_names(authority: ca.Authority, corporate: ca.Authority) -> None:
    text = ca.bundle(authority, {"REQUESTS_CA_BUNDLE": str(corporate.cert_path)}).read_text()
    assert corporate.pem.strip() in text


def test_the_extra_file_keeps_the_certificates_that_the_user_adds(
    authority: ca.Authority, corporate: ca.Authority
) -> None:
    text = ca.addition(authority, {"NODE_EXTRA_CA_CERTS": str(corporate.cert_path)}).read_text()
    assert (corporate.pem.strip() in text, authority.pem.strip() in text, text.count("BEGIN")) == (True, True, 2)


def test_the_extra_file_is_the_ca_itself_when_the_user_adds_none(authority: ca.Authority) -> None:
    assert ca.addition(authority, {"NODE_EXTRA_CA_CERTS": "/does/not/exist.pem"}) == authority.cert_path


def test_our_own_files_in_the_environment_are_not_taken_for_the_users(authority: ca.Authority) -> None:
    inherited = {"SSL_CERT_FILE": str(ca.bundle(authority, {}))}
    assert ca.bundle(authority, inherited) == ca.bundle(authority, {})
