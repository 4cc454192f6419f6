"""Connecting an account by its owner's consent: from Accept to a connection (S07 to S09).

Law: a state is good once, for ten minutes, in the session that began it and for its provider; a
callback with any other makes no call to anybody. Who an account is says its subject: signing in
anew renews the same account's connection and never puts another account in its place.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.errors import (
    CalgateError,
    NotFound,
    SignInNeeded,
    TooManyRequests,
    UpstreamError,
)
from gateway.model.connection import Connection
from gateway.model.grant import Grant, PendingConsent
from gateway.model.principal import Owner, Session
from gateway.model.timerange import HOUR, MINUTE
from gateway.ports import (
    Cipher,
    Clock,
    Consent,
    ConsentRequest,
    Sources,
    Store,
    Transaction,
    UpstreamCalendar,
)
from gateway.services.connections import MAX_CONNECTIONS
from gateway.services.discovery import adopt
from gateway.services.grants import GrantService
from gateway.services.notices import Notices
from gateway.services.sync import SyncService
from gateway.services.tokens import digest, new_id, new_secret

STATE_SECONDS = 10 * MINUTE
LINK_SECONDS = HOUR
BEGUN_PER_HOUR = 60
FIRST_READ_SECONDS = 8.0
"""How long a browser waits for the first read; a big calendar is read on behind it."""
LONGEST_STATE, LONGEST_CODE = 200, 8192

DENIED = "You did not allow access, so nothing was connected."
NOT_ALLOWED = "The administrator of this account does not allow it to be connected."
NOT_DONE = "The provider broke off the sign-in, so nothing was connected."
USED_UP = "This sign-in took too long or was used before, so nothing was connected. Begin again."
UNTICKED = "Some permissions were not given, so nothing was connected. Begin again and tick these."
NO_REFRESH = "The provider gave access for an hour only, so nothing was connected. Begin again."
ANOTHER = (
    "You signed in with another account, so nothing was changed. Bookings that wait for the "
    "account you had must not end up elsewhere: sign in with that one, or connect the other one "
    "as an additional account."
)
TOO_MANY = "There are as many accounts connected as there can be."


class Stray(Exception):
    """A callback that belongs to no consent of this session: nothing is done."""


@dataclass
class ConsentFailed(CalgateError):
    """A consent came to nothing; `facts` say more, in the provider's words or an address.

    `code` is stable: `denied`, `unticked`, `another_account`, `provider`, `limit`.
    """

    code: str
    detail: str
    facts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a provider sent the browser back with; a parameter given twice counts as none."""

    state: str
    code: str = ""
    error: str = ""


class ConsentService:
    """Begins consents and finishes them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        cipher: Cipher,
        sources: Sources,
        consents: Mapping[str, Consent],
        *,
        grants: GrantService,
        sync: SyncService,
        notices: Notices,
        public_url: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cipher = cipher
        self._sources = sources
        self._consents = consents
        self._grants = grants
        self._sync = sync
        self._notices = notices
        self._public_url = public_url.rstrip("/")
        self._reading: set[asyncio.Task[object]] = set()

    @property
    def offered(self) -> Mapping[str, Consent]:
        """The providers this gateway is registered with."""
        return self._consents

    def consent(self, provider: str) -> Consent:
        """Return a provider's consent; NotFound where the gateway is not registered with it."""
        found = self._consents.get(provider)
        if found is None:
            raise NotFound("provider")
        return found

    def redirect_uri(self, provider: str) -> str:
        """Return the address that is registered with a provider."""
        return f"{self._public_url}/oauth/{provider}/callback"

    # --- there

    async def begin(
        self,
        owner: Owner,
        session: Session,
        provider: str,
        *,
        acceptance: str,
        renews: str = "",
        link: str = "",
    ) -> str:
        """Log what was accepted; return the address of the provider's consent screen (S09)."""
        consent, now = self.consent(provider), self._clock.now()
        state, nonce, verifier = new_secret(), new_secret(), new_secret() + new_secret()
        known = await self.to_renew(owner, renews) if renews else None
        identifier = new_id("cs_")
        kept = json.dumps({"verifier": verifier, "nonce": nonce}).encode()
        pending = PendingConsent(
            id=identifier,
            owner_id=owner.id,
            provider=provider,
            state_digest=digest(state),
            session_digest=session.digest,
            sealed=self._cipher.seal(kept, bound_to=f"consent.sealed:{identifier}"),
            connection_id=renews,
            created_at=now,
            expires_at=now + STATE_SECONDS,
        )
        async with self._store.write(owner_id=owner.id) as tx:
            wait = await tx.counters.hit(
                f"consent:{owner.id}", now, window=HOUR, limit=BEGUN_PER_HOUR
            )
            if wait:
                raise TooManyRequests("consents", wait)
            if link and await tx.consents.take(digest(link), "", provider, now) is None:
                raise NotFound("link")
            await tx.consents.add(pending)
            await tx.notices.record(owner.id, "consent.accepted", f"{provider}; {acceptance}", now)
        return consent.authorize_url(
            ConsentRequest(
                redirect_uri=self.redirect_uri(provider),
                state=state,
                nonce=nonce,
                challenge=challenge_of(verifier),
                login_hint=known.account if known else "",
            )
        )

    async def to_renew(self, owner: Owner, connection_id: str) -> Connection:
        """Return a connection of the owner's that was made by consent, or raise NotFound."""
        async with self._store.read() as tx:
            found = await tx.connections.get(connection_id)
        if found is None or found.owner_id != owner.id or found.provider not in self._consents:
            raise NotFound("connection")
        return found

    async def link(self, owner: Owner, provider: str) -> str:
        """Return an address, good once for an hour, where the owner can accept."""
        self.consent(provider)
        token, now = new_secret(), self._clock.now()
        pending = PendingConsent(
            id=new_id("cs_"),
            owner_id=owner.id,
            provider=provider,
            state_digest=digest(token),
            created_at=now,
            expires_at=now + LINK_SECONDS,
        )
        async with self._store.write(owner_id=owner.id) as tx:
            await tx.consents.add(pending)
        return f"{self._public_url}/settings/calendar/connect/link/{token}"

    async def linked(self, owner: Owner, token: str) -> str:
        """Return the provider that a link of the owner's is for, or raise NotFound."""
        async with self._store.read() as tx:
            found = await tx.consents.look(digest(token), self._clock.now())
        if found is None or found.owner_id != owner.id or found.session_digest:
            raise NotFound("link")
        return found.provider

    # --- and back

    async def finish(
        self, owner: Owner, session: Session, provider: str, told: Callback
    ) -> Connection:
        """Trade the code for tokens and keep the account; Stray, or ConsentFailed with why."""
        pending = await self._taken(owner, session, provider, told)
        if told.error:
            await self._log_failure(owner, provider, told.error[:64])
            raise _broken_off(told.error)
        grant = await self._exchanged(pending, told.code)
        connection = await self._kept(owner, pending, grant)
        await self._read_once(connection.id)
        return connection

    async def _taken(
        self, owner: Owner, session: Session, provider: str, told: Callback
    ) -> PendingConsent:
        known = provider in self._consents and 0 < len(told.state) <= LONGEST_STATE
        if not known or not session.digest:
            raise Stray
        async with self._store.write(owner_id=owner.id) as tx:
            pending = await tx.consents.take(
                digest(told.state), session.digest, provider, self._clock.now()
            )
        if pending is None or pending.owner_id != owner.id:
            raise Stray
        if not told.error and not 0 < len(told.code) <= LONGEST_CODE:
            raise Stray
        return pending

    async def _exchanged(self, pending: PendingConsent, code: str) -> Grant:
        plain = self._cipher.open(pending.sealed, bound_to=f"consent.sealed:{pending.id}")
        kept = json.loads(plain)
        consent = self.consent(pending.provider)
        try:
            grant = await consent.exchange(
                code,
                verifier=kept["verifier"],
                nonce=kept["nonce"],
                redirect_uri=self.redirect_uri(pending.provider),
            )
        except SignInNeeded:
            raise ConsentFailed("provider", USED_UP) from None
        except UpstreamError as error:
            raise ConsentFailed("provider", error.detail) from error
        lacking = consent.missing(grant)
        if lacking:
            raise ConsentFailed("unticked", UNTICKED, lacking)
        return grant

    async def _kept(self, owner: Owner, pending: PendingConsent, grant: Grant) -> Connection:
        """Store the account under the owner's lock, so that two callbacks make one connection."""
        now = self._clock.now()
        async with self._store.read() as tx:
            target = await self._target(tx, owner, pending, grant)
        fresh = target or Connection(
            id=new_id("cn_"),
            owner_id=owner.id,
            provider=pending.provider,
            account=grant.email,
            options={"subject": grant.subject},
            created_at=now,
        )
        grant = self._whole(target, grant)
        found, grant = await self._calendars(fresh, grant)
        async with self._store.write(owner_id=owner.id) as tx:
            current = await self._target(tx, owner, pending, grant)
            connection = current or fresh
            if current is None:
                if len(await tx.connections.of_owner(owner.id)) >= MAX_CONNECTIONS:
                    raise ConsentFailed("limit", TOO_MANY)
                await tx.connections.add(fresh)
            sealed = self._grants.seal(connection.id, grant)
            await tx.connections.set_secret(connection.id, sealed)
            await tx.connections.set_account(
                connection.id, grant.email, {**connection.options, "subject": grant.subject}
            )
            await tx.connections.end_refresh(connection.id)
            await adopt(tx, owner, connection, found, now)
            await self._notices.signed_in(tx, connection)
            event = "connection.added" if current is None else "connection.renewed"
            detail = f"{connection.id}: {connection.provider}, {grant.email}"
            await tx.notices.record(owner.id, event, detail, now)
        return connection

    async def _target(
        self, tx: Transaction, owner: Owner, pending: PendingConsent, grant: Grant
    ) -> Connection | None:
        """Return the connection that this sign-in renews; another account's is never one."""
        for one in await tx.connections.of_owner(owner.id):
            same = one.provider == pending.provider and one.options.get("subject") == grant.subject
            if one.id == pending.connection_id and not same:
                raise ConsentFailed("another_account", ANOTHER, (one.account, grant.email))
            if same and pending.connection_id in ("", one.id):
                return one
        return None

    def _whole(self, target: Connection | None, grant: Grant) -> Grant:
        """Return a grant with a refresh token: the one that is known, where none came."""
        if grant.refresh_token:
            return grant
        try:
            known = self._grants.read(target).refresh_token if target else ""
        except SignInNeeded:
            known = ""
        if not known:
            raise ConsentFailed("provider", NO_REFRESH)
        return replace(grant, refresh_token=known)

    async def _calendars(
        self, connection: Connection, grant: Grant
    ) -> tuple[list[UpstreamCalendar], Grant]:
        """Return the calendars, and the grant to keep: reading them may have renewed it."""
        # Under a name that is not stored: what is stored may be the dead grant that this renews.
        name = new_id("cn_")
        probe = replace(connection, id=name, secret=self._grants.seal(name, grant))
        async with self._grants.holding(probe) as held:
            adapter = self._sources.open(probe, b"")
            try:
                found = list(await adapter.calendars())
            except UpstreamError as error:
                raise ConsentFailed("provider", error.detail) from error
            finally:
                await adapter.close()
        return found, held.grant

    async def _read_once(self, connection_id: str) -> None:
        task: asyncio.Task[object] = asyncio.create_task(self._sync.tick(connection_id))
        self._reading.add(task)
        task.add_done_callback(self._read)
        await asyncio.wait({task}, timeout=FIRST_READ_SECONDS)

    def _read(self, task: asyncio.Task[object]) -> None:
        self._reading.discard(task)
        if not task.cancelled():
            task.exception()  # what went wrong is told by the calendars' health

    async def _log_failure(self, owner: Owner, provider: str, error: str) -> None:
        named = error if error.isascii() and error.replace("_", "").isalnum() else "odd"
        async with self._store.write(owner_id=owner.id) as tx:
            await tx.notices.record(
                owner.id, "consent.failed", f"{provider}; {named}", self._clock.now()
            )

    async def close(self) -> None:
        """Break off first reads that are still going on; the worker takes them up again."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 section 4.2)."""
    hashed = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode("ascii")


def _broken_off(error: str) -> ConsentFailed:
    if error in ("access_denied", "consent_required"):
        return ConsentFailed("denied", DENIED)
    if error in ("admin_policy_enforced", "org_internal", "unauthorized_client"):
        return ConsentFailed("denied", NOT_ALLOWED)
    return ConsentFailed("provider", NOT_DONE)
