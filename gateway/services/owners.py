"""Owners: made, signed in, and known again by app passwords, API tokens and sessions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import Invalid, NotFound, TooManyRequests
from gateway.model.address import addr_spec
from gateway.model.principal import Credential, CredentialKind, Owner, Session
from gateway.model.timerange import DAY, HOUR, Instant
from gateway.model.zones import iana_zone, zone
from gateway.ports import Clock, Store
from gateway.services.passwords import MAX_LENGTH, MIN_LENGTH, Passwords
from gateway.services.tokens import digest, new_id, new_secret

MIN_SECRET = 16
MAX_LABEL = 100
MAX_NAME = 200
SESSION_SECONDS = 14 * DAY
TOUCH_SECONDS = HOUR
"""How exactly the last use of a credential is kept: a write per request would be too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A fresh session; `secret` goes into the cookie and is stored nowhere."""

    owner: Owner
    session: Session
    secret: str


class OwnerService:
    """The use cases around who somebody is."""

    def __init__(
        self, store: Store, clock: Clock, passwords: Passwords, *, failures_per_hour: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._failures_per_hour = failures_per_hour

    async def add(
        self,
        email: str,
        password: str,
        *,
        name: str = "",
        time_zone: str = "UTC",
        locale: str = "en",
        seat: bool = False,
        admin: bool = False,
    ) -> Owner:
        """Make an owner; raise Invalid for bad fields, Conflict where the address is taken."""
        address = addr_spec(email)
        fields = {}
        if address is None:
            fields["email"] = "This is not an e-mail address."
        if zone(time_zone) is None:
            fields["time_zone"] = f"There is no time zone {time_zone!r}."
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            fields["password"] = f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters."
        if fields or address is None:
            raise Invalid(fields)
        address = address.lower()
        owner = Owner(
            id=0,
            email=address,
            name=name.strip() or address.partition("@")[0],
            time_zone=time_zone,
            locale=locale,
            seat=seat,
            admin=admin,
        )
        hashed = await self._passwords.hash(password)
        async with self._store.write() as tx:
            return await tx.owners.add(owner, hashed)

    # --- the browser ---------------------------------------------------------------------------

    async def sign_in(self, email: str, password: str, remote: str) -> SignedIn | None:
        """Open a session; None for a wrong address or password, whichever it was.

        Failures are counted per network address and per account; at the limit TooManyRequests.
        """
        address = (addr_spec(email.strip()) or "").lower()
        counted = await self._count_try(remote, address)
        async with self._store.read() as tx:
            owner = await tx.owners.by_email(address) if address else None
            stored = await tx.owners.password_hash(owner.id) if owner else None
        right = await self._passwords.verify(stored, password[: MAX_LENGTH + 1])
        if not right or owner is None or owner.disabled:
            return None
        await self._uncount(counted)
        return await self._open_session(owner)

    async def _open_session(self, owner: Owner) -> SignedIn:
        now, secret = self._clock.now(), new_secret()
        session = Session(
            digest=digest(secret),
            owner_id=owner.id,
            csrf=new_secret(),
            expires_at=now + SESSION_SECONDS,
        )
        async with self._store.write() as tx:
            await tx.owners.add_session(session)
            await tx.notices.record(owner.id, "sign-in", "", now)
        return SignedIn(owner=owner, session=session, secret=secret)

    async def by_session(self, secret: str) -> tuple[Session, Owner] | None:
        """Return whose session this is, while it lasts and the owner is not disabled."""
        if not secret:
            return None
        async with self._store.read() as tx:
            found = await tx.owners.session(digest(secret), self._clock.now())
        return found if found and not found[1].disabled else None

    async def sign_out(self, session: Session) -> None:
        """End one session."""
        async with self._store.write() as tx:
            await tx.owners.remove_session(session.digest)

    async def end_other_sessions(self, owner: Owner) -> SignedIn:
        """End every session of the owner's; give the browser that asked a new one."""
        async with self._store.write(owner_id=owner.id) as tx:
            await tx.owners.remove_sessions(owner.id)
            await tx.notices.record(owner.id, "sessions-ended", "", self._clock.now())
        return await self._open_session(owner)

    async def change_password(self, owner: Owner, old: str, new: str, remote: str = "") -> SignedIn:
        """Set a new password and end every session but a fresh one; Invalid where `old` is wrong.

        Wrong old passwords count like failed sign-ins: a borrowed browser is no way to guess.
        """
        if not MIN_LENGTH <= len(new) <= MAX_LENGTH:
            raise Invalid({"new": f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters."})
        counted = await self._count_try(remote, owner.email)
        async with self._store.read() as tx:
            stored = await tx.owners.password_hash(owner.id)
        if not await self._passwords.verify(stored, old[: MAX_LENGTH + 1]):
            raise Invalid({"old": "This is not your current password."})
        await self._uncount(counted)
        hashed = await self._passwords.hash(new)
        async with self._store.write(owner_id=owner.id) as tx:
            await tx.owners.set_password_hash(owner.id, hashed)
            await tx.owners.remove_sessions(owner.id)
            await tx.notices.record(owner.id, "password-changed", "", self._clock.now())
        return await self._open_session(owner)

    async def change_profile(
        self, owner: Owner, *, name: str, time_zone: str, locale: str
    ) -> Owner:
        """Save how the owner is called, their time zone and language; Invalid for bad fields."""
        fields, place = {}, iana_zone(time_zone.strip())
        if not 1 <= len(name.strip()) <= MAX_NAME or not name.strip().isprintable():
            fields["name"] = f"A name is one line of 1 to {MAX_NAME} characters."
        if place is None:
            fields["time_zone"] = "This time zone is unknown; use a name such as Europe/Amsterdam."
        if fields or place is None:
            raise Invalid(fields)
        async with self._store.write(owner_id=owner.id) as tx:
            current = await tx.owners.get(owner.id)
            if current is None:
                raise NotFound("owner")
            changed = replace(current, name=name.strip(), time_zone=place.name, locale=locale)
            await tx.owners.update(changed)
        return changed

    # --- programs ------------------------------------------------------------------------------

    async def authenticate_app_password(
        self, email: str, password: str, remote: str
    ) -> Owner | None:
        """Return the owner this app password belongs to, if it is the one who is named."""
        found = await self._by_secret(CredentialKind.APP_PASSWORD, password)
        if found is not None and found.email == email.strip().lower():
            return found
        await self._count_failure(remote)
        return None

    async def authenticate_api_token(self, token: str, remote: str = "") -> Owner | None:
        """Return the owner this API token belongs to."""
        found = await self._by_secret(CredentialKind.API_TOKEN, token)
        if found is None:
            await self._count_failure(remote)
        return found

    async def _by_secret(self, kind: CredentialKind, secret: str) -> Owner | None:
        async with self._store.read() as tx:
            found = await tx.owners.by_credential(kind, digest(secret))
        if found is None or found[0].disabled:
            return None
        owner, credential = found
        now = self._clock.now()
        if credential.last_used_at is None or now - credential.last_used_at >= TOUCH_SECONDS:
            async with self._store.write() as tx:
                await tx.owners.touch_credential(credential.id, now)
        return owner

    async def add_credential(
        self, owner_id: int, kind: CredentialKind, label: str, *, secret: str | None = None
    ) -> tuple[Credential, str]:
        """Make an app password or API token; its secret is returned once and never stored."""
        label = label.strip()
        if not 1 <= len(label) <= MAX_LABEL:
            raise Invalid({"label": f"A label has 1 to {MAX_LABEL} characters."})
        if secret is not None and not MIN_SECRET <= len(secret) <= MAX_LENGTH:
            raise Invalid({"secret": f"A given password has {MIN_SECRET} or more characters."})
        secret = secret or new_secret()
        now = self._clock.now()
        credential = Credential(
            id=new_id("cr_"), owner_id=owner_id, kind=kind, label=label, created_at=now
        )
        async with self._store.write() as tx:
            await tx.owners.add_credential(credential, digest(secret))
            await tx.notices.record(owner_id, f"{kind.value}-added", label, now)
        return credential, secret

    async def credentials(self, owner_id: int, kind: CredentialKind) -> Sequence[Credential]:
        """Return an owner's credentials of one kind, oldest first."""
        async with self._store.read() as tx:
            return await tx.owners.credentials(owner_id, kind)

    async def remove_credential(self, owner_id: int, credential_id: str) -> bool:
        """End a credential at once; False where the owner has no such one."""
        async with self._store.write() as tx:
            removed = await tx.owners.remove_credential(owner_id, credential_id)
            if removed:
                await tx.notices.record(
                    owner_id, "credential-removed", credential_id, self._clock.now()
                )
        return removed

    # --- the limit -----------------------------------------------------------------------------

    async def _count_try(self, remote: str, account: str) -> list[tuple[str, Instant]]:
        """Count a try before its password is looked at; return what a right one takes back.

        Counted only afterwards, all of a thousand tries at one moment would be looked at.
        """
        now, keys = self._clock.now(), self._keys(remote, account)
        async with self._store.write() as tx:
            for key, limit in keys:
                wait = await tx.counters.hit(key, now, window=HOUR, limit=limit)
                if wait:
                    raise TooManyRequests("failed_logins", wait)
        return [(key, now) for key, _ in keys]

    async def _uncount(self, counted: Sequence[tuple[str, Instant]]) -> None:
        async with self._store.write() as tx:
            for key, at in counted:
                await tx.counters.take_back(key, at)

    async def _count_failure(self, remote: str) -> None:
        """Count a wrong secret; random ones cannot be guessed, so the right one never waits."""
        await self._count_try(remote, "")

    def _keys(self, remote: str, account: str) -> list[tuple[str, int]]:
        # An account may fail from many addresses together a little more often than one address.
        keys = [(f"login:address:{remote}", self._failures_per_hour)] if remote else []
        if account:
            keys.append((f"login:account:{digest(account)}", 2 * self._failures_per_hour))
        return keys
