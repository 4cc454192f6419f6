"""What an owner gives to connect a mailbox on premises, checked before a server hears of it."""

import json
from dataclasses import dataclass

from gateway.errors import Invalid
from gateway.model.address import addr_spec
from gateway.model.principal import Owner
from gateway.ports import Clock, Store
from gateway.services.trust import checked_authorities

VERSIONS = ("", "2010", "2013", "2016", "2019", "SE")
"""The versions of Exchange that an owner can name; empty is not known."""
EXPECTATIONS = "2026-11-27"
"""The version of the expectations that an owner reads first; a changed text is another one."""

ACKNOWLEDGED = "exchange.acknowledged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeAccount:
    """Address and password are needed; the rest is for servers that cannot be found."""

    address: str
    password: str
    username: str = ""
    url: str = ""
    version: str = ""
    ca: str = ""
    """Certificates of authorities that this server alone is trusted by besides."""

    def secret(self, time_zone: str) -> bytes:
        """Return the secret to seal; raise Invalid with a sentence for each wrong field."""
        user = self.username.strip()
        wrong = {
            "address": "" if addr_spec(self.address) else "Give the e-mail address of the mailbox.",
            "password": "" if self.password else "Give the password.",
            "username": "" if user.isprintable() and ":" not in user else "This is no user name.",
            "version": "" if self.version in VERSIONS else "Choose one of the versions.",
        }
        try:
            authorities = checked_authorities(self.ca)
        except Invalid as error:
            authorities, wrong = "", wrong | error.fields
        found = {name: sentence for name, sentence in wrong.items() if sentence}
        if found:
            raise Invalid(found)
        facts = {
            "address": self.address,
            "password": self.password,
            "username": user,
            "url": self.url.strip(),
            "version": self.version,
            "time_zone": time_zone,
            "ca": authorities,
        }
        return json.dumps(facts).encode()


async def acknowledge(store: Store, clock: Clock, owner: Owner, about: str) -> None:
    """Log that an owner has read what to expect (S17): who, when, which text."""
    detail = f"text {EXPECTATIONS}, {about}"
    async with store.write(owner_id=owner.id) as tx:
        await tx.notices.record(owner.id, ACKNOWLEDGED, detail, clock.now())


async def has_acknowledged(store: Store, owner: Owner) -> bool:
    """Tell whether an owner has read this version of the expectations."""
    async with store.read() as tx:
        trail = await tx.notices.trail(owner.id)
    return any(
        event == ACKNOWLEDGED and detail.startswith(f"text {EXPECTATIONS},")
        for _, event, detail in trail
    )
