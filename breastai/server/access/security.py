"""What stands between this server and whoever reaches it: the token, TLS, and what the page opened as a file is given."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from breastai.domain.errors import TokenUnavailable
from breastai.domain.server_settings import ServerSettings
from breastai.server.access.certificate import fingerprint, make_certificate, tls_context
from breastai.server.access.connection_rules import allowed_hosts, is_loopback
from breastai.server.logs.server_log import LOG
from breastai.storage.access_token import installation_token, token_file, write_session_script
from breastai.storage.workspace import Workspace


@dataclass(frozen=True)
class Security:
    """`token` is None where it can't be kept; then pages opened as files can't connect."""

    token: str | None
    token_required: bool
    tls: ssl.SSLContext | None

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"


def make_security(workspace: Workspace, host: str, settings: ServerSettings, page: Path) -> Security:
    """Return the protection of a server that listens on `host`, and tell the log of it.

    Raise TokenUnavailable where a token is needed and can't be kept, TlsUnusable or MissingExtra where TLS is.
    """
    here = is_loopback(host)
    # Behind a proxy on this machine everybody seems to be of this machine.
    reached = not here or settings.public_url is not None
    open_to_all = reached and settings.allow_unprotected
    needed = settings.require_token or (reached and not open_to_all)
    token = _token(page, needed)
    tls = _tls(workspace, host, settings, needed=not here and not open_to_all)
    if open_to_all:
        LOG.warning(
            "server.allow_unprotected: listening on %s %s TLS and %s a token; whoever reaches this address can %s",
            host if settings.public_url is None else f"{host} for {settings.public_url}",
            "without" if tls is None else "with",
            "with" if needed else "without",
            "read what is said" if needed else "use the server",
        )
    return Security(token, needed, tls)


def _token(page: Path, needed: bool) -> str | None:
    """Return the installation's token, written beside the page too where there is a page."""
    file = token_file()
    try:
        token = installation_token(file)
    except OSError as error:
        reason = error.strerror or str(error)
        if needed:
            raise TokenUnavailable(file.as_posix(), reason) from None
        LOG.warning(
            "no token can be kept in %s (%s): a page opened as a file can't connect, the served page can", file, reason
        )
        return None
    if (page / "index.html").is_file():
        try:
            write_session_script(page, token)
        except OSError as error:
            reason = error.strerror or str(error)
            LOG.warning(
                "%s can't be written (%s): a page opened as a file can't connect, the served page can",
                page / "session.js",
                reason,
            )
    return token


def _tls(workspace: Workspace, host: str, settings: ServerSettings, needed: bool) -> ssl.SSLContext | None:
    if settings.tls_certificate is not None:
        certificate = workspace.resolve(settings.tls_certificate)
        key = certificate if settings.tls_key is None else workspace.resolve(settings.tls_key)
    elif needed:
        certificate, key = make_certificate(token_file().parent / "tls", allowed_hosts(host))
    else:
        return None
    context = tls_context(certificate, key)
    LOG.info("TLS with %s, SHA-256 fingerprint %s", certificate, fingerprint(certificate))
    return context
