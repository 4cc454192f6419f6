"""Diagnoses a connection step by step, each resting on the one before it.

Law: it changes nothing at the source and writes nowhere; a step that cannot be tried because an
earlier one failed says so instead of guessing.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.errors import (
    AccessLost,
    CalgateError,
    NotRegistered,
    RefusedOnce,
    SignInNeeded,
    TooOld,
    UpstreamError,
)
from gateway.model.collection import Collection, Provider, Role
from gateway.model.connection import Connection, HealthState
from gateway.model.timerange import DAY, HOUR, MINUTE, TimeRange
from gateway.ports import (
    Adapter,
    Capability,
    Cipher,
    Clock,
    Consent,
    Greeting,
    Place,
    Reach,
    Sources,
    Store,
    UpstreamCalendar,
)
from gateway.services.grants import GrantService
from gateway.services.last_look import open_secret

CLOCK_MAY_DIFFER = 5 * MINUTE
"""Kerberos allows as much; tokens and cookies live longer."""

TAKEN = frozenset({"Ntlm", "Negotiate", "Basic"})
"""The ways to sign in to Exchange that take a user name and a password."""


class Check(StrEnum):
    """The steps, in order."""

    SECRET = "secret"  # noqa: S105 - the name of a step
    NAME = "name"
    CONNECTION = "connection"
    CLOCK = "clock"
    METHODS = "sign-in methods"
    SIGN_IN = "sign-in"
    PERMISSIONS = "permissions"
    CALENDARS = "calendars"
    READ = "read test"
    FRESHNESS = "freshness"


class Result(StrEnum):
    """How a step went."""

    GOOD = "good"
    BAD = "bad"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step with what was found; `remedy` says what mends it."""

    check: Check
    result: Result
    detail: str
    remedy: str = ""


@dataclass
class Diagnosis:
    """A connection and how far it works."""

    connection: Connection
    steps: list[Step] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether every step went well."""
        return all(step.result is Result.GOOD for step in self.steps)


@dataclass
class _Patient:
    """What the steps learn on their way."""

    connection: Connection
    calendars: Sequence[Collection]
    secret: bytes = b""
    places: Sequence[Place] = ()
    greeting: Greeting | None = None
    listed: Mapping[str, UpstreamCalendar] = field(default_factory=dict)


class _Bad(Exception):
    """A finding that ends the examination."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail, self.remedy = detail, remedy


class Doctor:
    """Examines connections."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        cipher: Cipher,
        sources: Sources,
        reach: Reach,
        *,
        grants: GrantService,
        consents: Mapping[str, Consent],
        public_url: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cipher = cipher
        self._sources = sources
        self._reach = reach
        self._grants = grants
        self._consents = consents
        self._public_url = public_url.rstrip("/")

    async def examine(self, connection: Connection) -> Diagnosis:
        """Go through the steps until one fails; freshness is looked at whatever came before."""
        async with self._store.read() as tx:
            calendars = await tx.collections.of_connection(connection.id)
        patient = _Patient(connection, calendars)
        found = Diagnosis(connection)
        broken = False
        for check, look in self._steps():
            if broken and check is not Check.FRESHNESS:
                step = Step(check=check, result=Result.UNTRIED, detail="Not tried.")
            else:
                step = await self._tried(check, look, patient)
            broken = broken or step.result is Result.BAD
            found.steps.append(step)
        return found

    def _steps(self) -> tuple[tuple[Check, Callable[[_Patient], Awaitable[str]]], ...]:
        return (
            (Check.SECRET, self._secret),
            (Check.NAME, self._name),
            (Check.CONNECTION, self._connection),
            (Check.CLOCK, self._same_time),
            (Check.METHODS, self._methods),
            (Check.SIGN_IN, self._sign_in),
            (Check.PERMISSIONS, self._permissions),
            (Check.CALENDARS, self._calendars),
            (Check.READ, self._read),
            (Check.FRESHNESS, self._freshness),
        )

    async def _tried(
        self, check: Check, look: Callable[[_Patient], Awaitable[str]], patient: _Patient
    ) -> Step:
        try:
            return Step(check=check, result=Result.GOOD, detail=await look(patient))
        except _Bad as bad:
            detail, remedy = bad.detail, bad.remedy
        except NotRegistered as error:
            detail = error.detail
            remedy = "Compare client_id and client_secret with what the provider shows."
        except SignInNeeded as error:
            detail, remedy = error.detail, self._sign_in_again(patient.connection)
        except TooOld as error:
            detail, remedy = error.detail, "Have the server brought up to a later version."
        except AccessLost as error:
            detail = error.detail
            remedy = "Ask for access again, or remove the calendar in the settings."
        except RefusedOnce as error:
            again = self._sign_in_again(patient.connection)
            detail = error.detail
            remedy = f"{_later(error.retry_after)} If the password has changed: {again}"
        except UpstreamError as error:
            detail, remedy = error.detail, REMEDY.get(check, _later(error.retry_after))
            if check is Check.CONNECTION and "certificate" in detail:
                remedy = CERTIFICATE
        except CalgateError as error:
            detail, remedy = str(error), ""
        return Step(check=check, result=Result.BAD, detail=detail, remedy=remedy)

    # --- the steps

    async def _secret(self, patient: _Patient) -> str:
        try:
            patient.secret = open_secret(self._cipher, patient.connection)
        except CalgateError as error:
            raise _Bad(
                str(error), "Bring back the key this database was written with, or connect again."
            ) from error
        return "The stored sign-in opens with the key."

    async def _name(self, patient: _Patient) -> str:
        patient.places = self._reach.places(patient.connection, patient.secret)
        if not patient.places:
            raise _Bad("No server is known for this connection.", "Connect it again.")
        said = []
        for place in patient.places:
            addresses = await self._reach.resolve(place)
            said.append(f"{place.host} is {addresses[0]}")
        return "; ".join(dict.fromkeys(said)) + "."

    async def _connection(self, patient: _Patient) -> str:
        said = [await self._reach.connect(place) for place in patient.places]
        return " ".join(dict.fromkeys(said))

    async def _same_time(self, patient: _Patient) -> str:
        place = patient.places[0]
        patient.greeting = await self._reach.greet(place)
        if patient.greeting.clock is None:
            return f"{place.host} does not say what time it is."
        ahead = self._clock.now() - patient.greeting.clock
        if abs(ahead) > CLOCK_MAY_DIFFER:
            raise _Bad(
                f"The clock of this machine is {lasting(abs(ahead))} "
                f"{'ahead of' if ahead > 0 else 'behind'} that of {place.host}.",
                "Set this machine's clock (NTP), or tell whoever runs that server.",
            )
        return f"The clocks of this machine and of {place.host} agree."

    async def _methods(self, patient: _Patient) -> str:
        if patient.connection.provider in self._consents:
            return "By consent (OAuth)."
        offered = patient.greeting.methods if patient.greeting else ()
        if not offered:
            return "The server asks for none."
        if patient.connection.provider == Provider.EXCHANGE and not TAKEN.intersection(offered):
            raise _Bad(
                f"The server offers {', '.join(offered)}; the gateway signs in by NTLM or Basic.",
                "Ask whoever runs that server to allow NTLM or Basic for EWS.",
            )
        return f"The server offers {', '.join(offered)}."

    async def _sign_in(self, patient: _Patient) -> str:
        connection = patient.connection
        if connection.provider in self._consents:
            await self._grants.ask_again(connection)
            await self._grants.tokens(connection).access_token()
            return f"Signed in as {connection.account}."
        if connection.provider == Provider.ICS:
            return "None is needed: the address is the secret."
        await self._list(patient)
        return f"Signed in as {connection.account}."

    async def _permissions(self, patient: _Patient) -> str:
        consent = self._consents.get(patient.connection.provider)
        if consent is None:
            return "The sign-in gives them all."
        async with self._store.read() as tx:
            current = await tx.connections.get(patient.connection.id) or patient.connection
        lacking = consent.missing(self._grants.read(current))
        if lacking:
            raise _Bad(
                f"Not allowed: {'; '.join(lacking)}.", self._sign_in_again(patient.connection)
            )
        return "Everything that is needed was allowed."

    async def _calendars(self, patient: _Patient) -> str:
        if not patient.listed:
            await self._list(patient)
        gone = [
            one.display_name
            for one in patient.calendars
            if one.selected and one.upstream_id not in patient.listed
        ]
        if gone:
            raise _Bad(
                f"No longer in the account: {', '.join(gone)}.",
                "Ask for access again, or remove it with the X in the Calendar tab.",
            )
        await self._default(patient)
        many = "one calendar" if len(patient.listed) == 1 else f"{len(patient.listed)} calendars"
        return f"The account has {many}, {_count(patient)} selected."

    async def _default(self, patient: _Patient) -> None:
        """Say that bookings cannot be written, if they go to one of these and it is read only."""
        async with self._store.read() as tx:
            owner = await tx.owners.get(patient.connection.owner_id)
        for one in patient.calendars:
            if owner is None or one.id != owner.default_collection_id:
                continue
            there = patient.listed.get(one.upstream_id)
            if there is not None and not replace(one, role=Role(there.role)).is_writable:
                raise _Bad(
                    f"Bookings go to “{one.display_name}”, which can only be read.",
                    "Choose another default calendar in the Calendar tab, or ask for the right "
                    "to change this one.",
                )

    async def _read(self, patient: _Patient) -> str:
        able = {spec.provider: spec.capabilities for spec in self._sources.specs()}
        if Capability.LAST_LOOK not in able.get(patient.connection.provider, Capability(0)):
            return "The list was the test."
        now = self._clock.now()
        selected = [one for one in patient.calendars if one.selected]
        adapter = self._opened(patient)
        try:
            for one in selected:
                try:
                    await adapter.last_look(
                        one.upstream_id, TimeRange(now, now + 7 * DAY), one.rules
                    )
                except UpstreamError as error:
                    error.detail = f"“{one.display_name}”: {error.detail}"
                    raise
        finally:
            await adapter.close()
        return f"The coming week was read from {len(selected)} of {len(selected)} selected."

    async def _freshness(self, patient: _Patient) -> str:
        now = self._clock.now()
        selected = [one for one in patient.calendars if one.selected]
        for one in selected:
            if one.state(now) is HealthState.WORKING:
                continue
            last = one.health.last_success_at
            ago = f"{lasting(now - last)} ago" if last else "never"
            cause = one.health.detail or "Nothing has tried since."
            raise _Bad(
                f"“{one.display_name}” was read {ago}. {cause}",
                "" if one.health.detail else "Is `calgate serve` running? It reads in its worker.",
            )
        return "Every selected calendar was read within ten minutes."

    # --- means

    def _opened(self, patient: _Patient) -> Adapter:
        return self._sources.open(patient.connection, patient.secret)

    async def _list(self, patient: _Patient) -> None:
        adapter = self._opened(patient)
        try:
            patient.listed = {one.upstream_id: one for one in await adapter.calendars()}
        finally:
            await adapter.close()

    def _sign_in_again(self, connection: Connection) -> str:
        if connection.provider in self._consents:
            return f"Open {self._public_url}/settings/connections/{connection.id}/reconnect"
        if connection.provider == Provider.ICS:
            return "Ask for a new address of the calendar, and connect that one instead."
        return (
            "Settings → Calendar → New password; with two-factor authentication it must be an "
            "app password."
        )


CERTIFICATE = "Have its certificate renewed, or name the authority that signs it (`ca_file`)."
REMEDY = {
    Check.NAME: "Check the address, and the name server of this machine.",
    Check.CONNECTION: "Check the address and the firewall, and whether that server runs.",
    Check.METHODS: "Check that the address is that of the calendar server.",
}


def lasting(seconds: int) -> str:
    """Return a length of time in the largest unit that fits twice."""
    for name, size in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return "a minute"


def _later(retry_after: int | None) -> str:
    if not retry_after:
        return "Try again in a while; if it stays, ask whoever runs that server."
    return f"Wait {lasting(retry_after)}: the gateway tries again by itself."


def _count(patient: _Patient) -> int:
    return sum(one.selected for one in patient.calendars)
