"""The world outside as the configuration names it: providers, mail host, what may be reached.

Law: with bootstrap.py, the only place that knows adapters.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._certificates import trusting
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Endpoint, Shared, TokensOf
from gateway.adapters.oauth_google import GoogleConsent
from gateway.adapters.oauth_microsoft import MicrosoftConsent
from gateway.adapters.reach import ServerReach, place_of
from gateway.config import Config
from gateway.mail import SmtpMailer
from gateway.model.collection import Provider
from gateway.ports import Clock, Consent, Mailer, Place, Reach, SignIns

INSIDE = frozenset({"local", "localhost", "internal", "lan", "home", "corp", "arpa", "test"})
"""Last labels of names that nobody outside can reach."""


def consents(config: Config, clock: Clock) -> dict[str, Consent]:
    """Return the providers this gateway is registered with."""
    google, microsoft = config.providers.google, config.providers.microsoft
    found: dict[str, Consent] = {}
    if google.client_id:
        found[Provider.GOOGLE.value] = GoogleConsent(
            clock,
            client_id=google.client_id,
            client_secret=google.client_secret,
            auth_url=google.auth_url,
            token_url=google.token_url,
            revoke_url=google.revoke_url,
            ca_file=google.ca_file,
        )
    if microsoft.client_id:
        found[Provider.MICROSOFT.value] = MicrosoftConsent(
            clock,
            client_id=microsoft.client_id,
            client_secret=microsoft.client_secret,
            authority=microsoft.authority,
            graph_url=microsoft.graph_url,
            ca_file=microsoft.ca_file,
        )
    return found


def shared(
    config: Config, client: GuardedClient, clock: Clock, *, tokens: TokensOf, sign_ins: SignIns
) -> Shared:
    """Return what adapters share."""
    google, microsoft = config.providers.google, config.providers.microsoft
    exchange = config.providers.exchange
    return Shared(
        client=client,
        clock=clock,
        tokens=tokens,
        sign_ins=sign_ins,
        google=Endpoint(url=google.api_url, ca_file=google.ca_file),
        microsoft=Endpoint(url=microsoft.graph_url, ca_file=microsoft.ca_file),
        exchange=Endpoint(url=exchange.autodiscover_url, ca_file=exchange.ca_file),
    )


def mailer(config: Config) -> Mailer:
    """Return the mailer of the configuration; without a host nothing ever reaches it."""
    mail = config.mail
    return SmtpMailer(
        host=mail.host,
        port=mail.port,
        sender=mail.sender,
        starttls=mail.starttls,
        username=mail.username,
        password=mail.password,
        trusted=trusting,
    )


def guard_options(config: Config) -> GuardOptions:
    """Return what user-given addresses may reach; never the gateway itself."""
    return GuardOptions(
        allow_private=config.security.allow_private_networks,
        own_origins=frozenset({_origin(config.public_url), *_listening(config)}),
    )


def reach(config: Config) -> Reach:
    """Return what looks at the servers of connections."""
    google, microsoft = config.providers.google, config.providers.microsoft
    fixed = {
        Provider.GOOGLE.value: _places(google.ca_file, google.token_url, google.api_url),
        Provider.MICROSOFT.value: _places(
            microsoft.ca_file, microsoft.authority, microsoft.graph_url
        ),
    }
    trusted = {Provider.EXCHANGE.value: config.providers.exchange.ca_file}
    return ServerReach(guard_options(config), fixed, trusted=trusted)


def _places(ca_file: str, *urls: str) -> tuple[Place, ...]:
    found = (place_of(url, ca_file=ca_file) for url in urls)
    return tuple(one for one in found if one is not None)


def push_address(config: Config) -> str:
    """Return where providers may push to: nothing unless that is public and https."""
    parts = urlsplit(config.public_url)
    host = (parts.hostname or "").lower()
    try:
        is_public = GuardOptions().allows_address(str(ip_address(host)))
    except ValueError:
        is_public = "." in host and host.rpartition(".")[2] not in INSIDE
    return config.public_url if config.sync.push and parts.scheme == "https" and is_public else ""


def _origin(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def _listening(config: Config) -> set[tuple[str, int]]:
    host, port = config.address
    try:
        everywhere = ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    names = {"127.0.0.1", "::1", "localhost"} if everywhere else {host.lower()}
    return {(name, port) for name in names}
