"""Where an engine is: a Unix socket, or TCP with certificates."""

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox.options import EngineOptions

__all__ = ("Address", "parse_address")

_TLS_PORT, _PLAIN_PORT = 2376, 2375


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One of `path` and `host` is set."""

    path: str = ""
    host: str = ""
    port: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def is_local(self) -> bool:
        """Whether the engine may run on this machine, where its containers can be looked at."""
        return bool(self.path)


def parse_address(options: EngineOptions) -> Address:
    """The engine of the options.

    Raises:
        SandboxUnavailable: the URL is none, or would give whoever listens the whole engine.
    """
    url = urlsplit(options.engine)
    if url.scheme == "unix" and url.path and not url.netloc:
        return Address(path=url.path)
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if url.scheme != "tcp" or not host or url.path not in ("", "/"):
        raise SandboxUnavailable(
            f"{options.engine!r} is not the address of a container engine",
            hint="write unix:///var/run/docker.sock or tcp://host:2376",
        )
    if options.tls_folder:
        return Address(host=host, port=port or _TLS_PORT, tls=_load_tls(options.tls_folder))
    if not (_is_loopback(host) or options.allow_unencrypted):
        raise SandboxUnavailable(
            f"the engine at {options.engine!r} would be used without encryption",
            hint="name the folder of ca.pem, cert.pem and key.pem in sandbox.container.tls_folder;"
            " who can reach an open engine owns its machine",
        )
    return Address(host=host, port=port or _PLAIN_PORT)


def _load_tls(folder: str) -> ssl.SSLContext:
    """What Docker's own client takes from such a folder."""
    place = Path(folder)
    try:
        context = ssl.create_default_context(cafile=place / "ca.pem")
        context.load_cert_chain(place / "cert.pem", place / "key.pem")
    except OSError as fault:
        raise SandboxUnavailable(
            f"the certificates in {folder!r} cannot be used: {fault}",
            hint="the folder holds ca.pem, cert.pem and key.pem",
        ) from fault
    return context


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
