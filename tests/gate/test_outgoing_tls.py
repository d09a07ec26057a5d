"""Both systems are believed only with a certificate that holds: else no credential leaves this machine."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.launch.places import ROOT, read_env
from services.advoware_service import AdvowareService
from services.config import AdvowareSettings, EspoCrmSettings
from services.errors import Unreachable
from services.espocrm import EspoCrmService
from services.kommunikation_types import KommunikationWrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Impostor:
    """An HTTPS server whose certificate nobody vouches for; keeps every byte that was said to it in confidence."""

    def __init__(self, folder: Path) -> None:
        self.heard = b""
        self.visits = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(folder))
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.visits += 1
            connection.settimeout(2)
            try:
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    self.heard += secure.recv(65536)
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            except OSError:
                pass

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that only its own key has signed, with the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "impostor.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return path


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Impostor]:
    with Impostor(tmp_path) as running:
        yield running


def advoware(url: str, **more: str) -> AdvowareService:
    env = read_env(ROOT / ".env.sandbox") | {"ADVOWARE_API_BASE_URL": url, "ADVOWARE_SECURITY_GATEWAY_URL": url} | more
    return AdvowareService(AdvowareSettings.from_environment(env))


def espocrm(url: str, **more: str) -> EspoCrmService:
    env = read_env(ROOT / ".env.sandbox") | {"ESPOCRM_API_BASE_URL": f"{url}/api/v1"} | more
    return EspoCrmService(EspoCrmSettings.from_environment(env))


@pytest.mark.parametrize(
    "call",
    [
        lambda url: advoware(url).get_beteiligter(1),
        lambda url: advoware(url).create_kommunikation(1, KommunikationWrite("0511 123456", "", 1, online=True)),
        lambda url: advoware("", ADVOWARE_CONFIGURATOR_URL=f"{url}/AdvonetConfigurator/api/Url").get_beteiligter(1),
        lambda url: espocrm(url).get_record("6b052b30821980eed"),
        lambda url: espocrm(url).put_arrays("6b052b30821980eed", emails=(), phones=None),
        lambda url: espocrm(url, ESPOCRM_HMAC_SECRET="made-up").server_version(),
    ],
    ids=["token", "token for a write", "look-up", "reading", "writing", "signed"],
)
def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_said(
    impostor: Impostor, call: Callable[[str], object]
) -> None:
    with pytest.raises(Unreachable) as failed:
        call(impostor.url)
    assert failed.value.maybe_done is False
    assert impostor.visits >= 1
    assert impostor.heard == b""


def test_switches_of_other_programs_do_not_make_it_trusted(impostor: Impostor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHTTPSVERIFY", "CURL_SSL_NO_VERIFY", "NODE_TLS_REJECT_UNAUTHORIZED"):
        monkeypatch.setenv(name, "0")
    with pytest.raises(Unreachable):
        espocrm(impostor.url).server_version()
    assert impostor.heard == b""


def test_the_test_can_fail(impostor: Impostor, tmp_path: Path) -> None:
    """A client that does vouch for the certificate is heard."""
    context = ssl.create_default_context(cafile=str(tmp_path / "impostor.pem"))
    with (
        socket.create_connection(("127.0.0.1", int(impostor.url.rpartition(":")[2]))) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert secure.recv(100).startswith(b"HTTP/1.1 200")
    assert impostor.heard
