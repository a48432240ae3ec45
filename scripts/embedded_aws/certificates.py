"""The certificate authority of this embedded AWS, and the certificates that it signs.

Its key is made anew for each embedded AWS and never leaves its state folder.
"""

import datetime as dt
import fcntl
import ipaddress
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAYS = 365


class CertificateAuthority:
    """Signs certificates; made if there is none yet.

    `certificate_file`: where its certificate is, for those who trust it.
    """

    def __init__(self, certificate_file: Path) -> None:
        self._key_file = certificate_file.with_suffix(".key")
        with _locked(certificate_file.with_suffix(".lock")):
            self._make_if_missing(certificate_file)
        loaded = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded
        self._certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())

    def _make_if_missing(self, certificate_file: Path) -> None:
        if not certificate_file.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = _name("Embedded AWS")
            certificate = (
                _builder(name, name, key.public_key())
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .sign(key, hashes.SHA256())
            )
            _write_private(self._key_file, key)
            certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, folder: Path, *, names: Iterable[str]) -> tuple[Path, Path]:
        """Makes `server.pem` and `server.key` for host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        given = list(names)
        certificate = (
            _builder(_name(given[0]), self._certificate.subject, key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in given]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        certificate_file, key_file = folder / "server.pem", folder / "server.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_private(key_file, key)
        return certificate_file, key_file

    def tls(self, folder: Path, *, names: Iterable[str]) -> ssl.SSLContext:
        """What a TLS server needs, with a certificate of its own."""
        certificate_file, key_file = self.sign(folder, names=names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate_file, key_file)
        return context


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Held by one process at a time: the control plane and the data plane share an authority."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
    )


def _write_private(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
