"""TLS: the certificate the owner gave, or one made for this installation; and how to know it again."""

import datetime
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from breastai.domain.errors import MissingExtra, TlsUnusable
from breastai.storage.private_files import private_folder
from breastai.storage.workspace import atomic_write

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

_VALID_DAYS = 397
_RENEWED_BEFORE_DAYS = 30


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a server needs to speak TLS; raise TlsUnusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key with a passphrase would have it asked for on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise TlsUnusable(certificate.as_posix(), getattr(error, "strerror", None) or str(error)) from None
    return context


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 of a certificate as browsers show it; raise TlsUnusable."""
    try:
        first = certificate.read_text(encoding="ascii").partition("-----END CERTIFICATE-----")
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(first[0] + first[1])).hexdigest().upper()
    except (OSError, ValueError) as error:
        raise TlsUnusable(certificate.as_posix(), str(error)) from None
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def make_certificate(folder: Path, names: Iterable[str]) -> tuple[Path, Path]:
    """Return a certificate for `names` and its key, kept in `folder`, made anew when it lacks one or runs out.

    Raise MissingExtra without the package that makes it, TlsUnusable when the folder can't be written.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    wanted = {name.strip("[]") for name in names}
    try:
        if _serves(certificate, key, wanted):
            return certificate, key
        public, private = _made(sorted(wanted))
        private_folder(folder)
        atomic_write(key, private)
        atomic_write(certificate, public)
    except OSError as error:
        raise TlsUnusable(folder.as_posix(), error.strerror or str(error)) from None
    return certificate, key


def _serves(certificate: Path, key: Path, names: set[str]) -> bool:
    try:
        from cryptography import x509
    except ImportError:
        raise MissingExtra("cryptography", "network") from None
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        with_key = tls_context(certificate, key)
    except (OSError, ValueError, x509.ExtensionNotFound, TlsUnusable):
        return False
    has = set(alternatives.get_values_for_type(x509.DNSName))
    has |= {str(address) for address in alternatives.get_values_for_type(x509.IPAddress)}
    runs_out = found.not_valid_after_utc - datetime.timedelta(days=_RENEWED_BEFORE_DAYS)
    private = os.name == "nt" or not key.stat().st_mode & 0o077
    return with_key is not None and private and names <= has and datetime.datetime.now(datetime.UTC) < runs_out


def _made(names: list[str]) -> tuple[bytes, bytes]:
    """Return a certificate signed by its own key, and the key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "BreastAI on this machine")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), private


def _alternative(name: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
