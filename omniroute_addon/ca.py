"""The local certificate authority: made on first use, bound to the provider hosts, given to tools as files.

The directory is what mitmproxy's ``CertStore`` expects of its ``confdir`` (``mitmproxy-ca.pem`` and so on), so the proxy
signs with this CA without further settings. Leaf certificates are mitmproxy's business; it gives them the CA's own key.

The CA carries critical X.509 name constraints: it can vouch for the surface hosts and nothing else, no IP address
either. Whoever steals the key can read LLM calls of this machine, not impersonate a bank. A surface that is added later
is therefore not covered (:meth:`Authority.missing`) until :func:`rotate` makes a new CA; mitmproxy must run with
``upstream_cert=false``, because a leaf that copies foreign names from the upstream breaks the constraints.
"""

import datetime as dt
import hashlib
import ipaddress
import logging
import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from omniroute_addon.home import private_dir, write_private

logger = logging.getLogger(__name__)

VALIDITY = dt.timedelta(days=2 * 365)
BACKDATED = dt.timedelta(days=2)
"""As mitmproxy's leaves are: for clients whose clock is behind."""

KEY_FILE = "mitmproxy-ca.pem"
CERT_FILE = "mitmproxy-ca-cert.pem"
_CERT_FILE_TOO = "mitmproxy-ca-cert.cer"

SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables whose file replaces the program's trust store."""
EXTRA_VARIABLES = ("NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE")
"""Variables whose file is added to the program's trust store."""

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class CAError(Exception):
    """The CA on disk cannot be used; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Authority:
    """The CA in ``directory``, as read from disk."""

    directory: Path
    certificate: x509.Certificate

    @property
    def key_path(self) -> Path:
        return self.directory / KEY_FILE

    @property
    def cert_path(self) -> Path:
        return self.directory / CERT_FILE

    @property
    def name(self) -> str:
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in pairs of hex digits as browsers show it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def not_before(self) -> dt.datetime:
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> dt.datetime:
        return self.certificate.not_valid_after_utc

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def hosts(self) -> frozenset[str]:
        """The names it can vouch for; each stands for its subdomains too. Empty for a CA without constraints."""
        try:
            constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return frozenset()
        permitted = constraints.permitted_subtrees or []
        return frozenset(str(name.value).removesuffix("/32").removesuffix("/128") for name in permitted)

    def missing(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Those of ``hosts`` that this CA cannot vouch for: calls to them would fail in the tool's TLS check."""
        covered = self.hosts
        return tuple(
            sorted(
                host
                for host in map(_subtree, hosts)
                if not any(host == name or host.endswith("." + name) for name in covered)
            )
        )

    def expired(self, now: dt.datetime) -> bool:
        return not self.not_before <= now <= self.not_after


def directory_in(home: Path) -> Path:
    """Where the CA lives in a data dir; mitmproxy's ``confdir``."""
    return home / "ca"


def load(directory: Path) -> Authority | None:
    """The CA in ``directory``; None when there is none yet."""
    path = directory / KEY_FILE
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CAError(
            f"{path}: cannot be read ({error.strerror}); it must belong to the user who runs OmniRoute"
        ) from error
    try:
        certificate = x509.load_pem_x509_certificate(raw)
    except ValueError as error:
        raise CAError(f"{path}: holds no certificate; make a new CA with: omniroute ca rotate") from error
    try:
        serialization.load_pem_private_key(raw, None)
    except (TypeError, ValueError) as error:
        raise CAError(f"{path}: holds no key; make a new CA with: omniroute ca rotate") from error
    return Authority(directory, certificate)


def ensure(directory: Path, hosts: Iterable[str]) -> Authority:
    """The CA in ``directory``, made now for ``hosts`` if there is none. Safe when two processes do it at once.

    What tools trust is written again when it is not the certificate that we sign with.
    """
    if (existing := load(directory)) is not None:
        _mend(existing)
        return existing
    fresh = _create_beside(directory, hosts)
    try:
        fresh.rename(directory)
    except OSError:
        if (existing := load(directory)) is None:
            for file in fresh.iterdir():
                file.replace(directory / file.name)
        shutil.rmtree(fresh, ignore_errors=True)
    private_dir(directory)
    made = load(directory)
    if made is None:
        raise CAError(f"{directory}: the new CA could not be put there")
    return made


def _mend(authority: Authority) -> None:
    pem = authority.certificate.public_bytes(serialization.Encoding.PEM)
    for name in (CERT_FILE, _CERT_FILE_TOO):
        path = authority.directory / name
        try:
            if path.exists() and path.read_bytes() == pem:
                continue
            write_private(path, pem, 0o644)
        except OSError as error:
            logger.warning("%s is not our certificate, and cannot be written: %s", path, error.strerror)
        else:
            logger.warning("%s was damaged and is written again", path)


def rotate(directory: Path, hosts: Iterable[str]) -> tuple[Authority, Path | None]:
    """Replace the CA by a new one for ``hosts``; returns it and where the old one is kept now (None: there was none)."""
    fresh = _create_beside(directory, hosts)
    backup = None
    if directory.exists():
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
        backup = directory.with_name(f"{directory.name}.old-{stamp}")
        count = 1
        while backup.exists():
            count += 1
            backup = directory.with_name(f"{directory.name}.old-{stamp}-{count}")
        directory.rename(backup)
    fresh.rename(directory)
    made = load(directory)
    if made is None:
        raise CAError(f"{directory}: the new CA could not be put there")
    return made, backup


# ── trust files ─────────────────────────────────────────────────────────────────────────────────────────────────────


def bundle(authority: Authority, env: Mapping[str, str]) -> Path:
    """A full trust store (system roots, what the user's own variables name, our CA) for variables that replace one."""
    user = _user_files(authority, env, BUNDLE_VARIABLES)
    return _trust_file(authority, "bundle", (_system_roots(authority), *user), named=user)


def addition(authority: Authority, env: Mapping[str, str]) -> Path:
    """Our CA, together with what the user already adds to trust stores, for variables that add to one."""
    user = _user_files(authority, env, EXTRA_VARIABLES)
    return _trust_file(authority, "extra", user, named=user) if user else authority.cert_path


def _trust_file(authority: Authority, kind: str, sources: Iterable[Path], *, named: tuple[Path, ...]) -> Path:
    blocks: dict[str, None] = {}
    for source in sources:
        blocks.update(dict.fromkeys(_certificates(source)))
    blocks[authority.pem.strip()] = None
    suffix = f"-{hashlib.sha256(os.fsencode(':'.join(map(str, named)))).hexdigest()[:8]}" if named else ""
    path = authority.directory / f"{kind}{suffix}.pem"
    content = ("\n".join(blocks) + "\n").encode()
    if not path.exists() or path.read_bytes() != content:
        write_private(path, content, 0o644)
    return path


def _certificates(path: Path) -> list[str]:
    """The PEM blocks of a file, without the comments between them; none when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [f"{_BEGIN}{rest.partition(_END)[0]}{_END}".replace("\r", "") for rest in text.split(_BEGIN)[1:]]


def _system_roots(authority: Authority) -> Path:
    default = ssl.get_default_verify_paths().openssl_cafile
    for candidate in (default, *SYSTEM_ROOTS):
        path = Path(candidate)
        if path.is_file() and not path.is_relative_to(authority.directory):
            return path
    return Path(certifi.where())


def _user_files(authority: Authority, env: Mapping[str, str], variables: Iterable[str]) -> tuple[Path, ...]:
    """Files that ``env`` names, without ours (a tool started inside ``omniroute run`` inherits those)."""
    named = dict.fromkeys(Path(value).expanduser().absolute() for name in variables if (value := env.get(name)))
    ours = authority.directory.absolute()
    return tuple(path for path in named if path.is_file() and not path.is_relative_to(ours))


# ── making one ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _create_beside(directory: Path, hosts: Iterable[str]) -> Path:
    private_dir(directory.parent)
    fresh = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        _write_store(fresh, hosts)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return fresh


def _write_store(directory: Path, hosts: Iterable[str]) -> None:
    # mitmproxy pulls in pyOpenSSL and more; only the one-time creation needs its constant.
    from mitmproxy.certs import DEFAULT_DHPARAM  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(key, hosts, dt.datetime.now(dt.UTC))
    cert_pem = certificate.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    cert_p12 = pkcs12.serialize_key_and_certificates(
        b"omniroute", None, certificate, None, serialization.NoEncryption()
    )
    write_private(directory / KEY_FILE, key_pem + cert_pem)
    for name, content in (
        (CERT_FILE, cert_pem),
        (_CERT_FILE_TOO, cert_pem),
        ("mitmproxy-ca-cert.p12", cert_p12),
        ("mitmproxy-dhparam.pem", DEFAULT_DHPARAM),
    ):
        write_private(directory / name, content, 0o644)


def _self_signed(key: ec.EllipticCurvePrivateKey, hosts: Iterable[str], now: dt.datetime) -> x509.Certificate:
    # Clients look issuers up by name: the random bits keep the CAs of one machine apart.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"OmniRoute local CA {socket.gethostname()}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"OmniRoute {os.urandom(4).hex()}"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(_constraints(hosts), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _constraints(hosts: Iterable[str]) -> x509.NameConstraints:
    names = sorted(set(map(_subtree, hosts)))
    if not names:
        raise CAError("a CA for no host at all; the configuration has no surfaces")
    addresses = [address for name in names if (address := _address(name)) is not None]
    # OpenSSL takes a common name of digits and dots, as mitmproxy writes it, for a domain. Without any permitted
    # domain every one would be: `invalid` is a top-level domain that cannot exist (RFC 2606).
    domains = [name for name in names if ":" not in name] or ["invalid"]
    permitted: list[x509.GeneralName] = [x509.DNSName(name) for name in domains]
    permitted += [x509.IPAddress(ipaddress.ip_network(address)) for address in addresses]
    # An exclusion beats a permission, so it is only said for a family of which nothing is permitted.
    families = {address.version for address in addresses}
    excluded = [
        x509.IPAddress(ipaddress.ip_network(everything))
        for version, everything in ((4, "0.0.0.0/0"), (6, "::/0"))
        if version not in families
    ]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=excluded or None)


def _subtree(host: str) -> str:
    """The narrowest constraint that holds ``host``; for a glob, its labels behind the last wildcard."""
    labels = host.lower().strip("[].").split(".") if _address(host) is None else [host.strip("[]")]
    while len(labels) > 1 and any(set("*?[") & set(label) for label in labels):
        labels.pop(0)
    return ".".join(labels)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
