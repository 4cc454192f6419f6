"""What a visitor asks for, checked against the page: clean values, or a sentence per field."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from gateway.errors import Invalid
from gateway.model.address import addr_spec
from gateway.model.content_line import clean_text
from gateway.model.page import Question, QuestionType, SchedulingPage
from gateway.model.timerange import MAX_INSTANT, MIN_INSTANT, Instant
from gateway.model.zones import zone

MAX_NAME, MAX_LINE, MAX_TEXT, MAX_GUESTS, MAX_KEY = 200, 500, 5000, 10, 255
_PHONE = re.compile(r"[0-9+(][0-9 ()./+x-]{2,39}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest:
    """Another time that somebody wants for a booking; `duration` is minutes.

    `by` is `visitor` or `owner`, `address` the visitor's network address. `despite_busy` says that
    the owner knows; it counts for a meeting on a record alone.
    """

    start: Instant
    duration: int
    by: str
    address: str = ""
    despite_busy: bool = False

    def digest(self, booking_id: str) -> str:
        """Return a digest of what is asked for, to tell whether a repeated key means the same."""
        despite = " despite busy" if self.despite_busy else ""
        facts = f"move {booking_id} {self.start} {self.duration}{despite}"
        return sha256(facts.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRequest:
    """A wish as it came in; `duration` is minutes, `address` the visitor's network address."""

    start: Instant
    duration: int
    time_zone: str
    name: str
    email: str
    answers: Mapping[str, str] = field(default_factory=dict)
    guests: tuple[str, ...] = ()
    source: str = "page"
    locale: str = "en"
    address: str = ""

    def digest(self) -> str:
        """Return a digest of what is asked for, to tell whether a repeated key means the same."""
        body = [
            self.start,
            self.duration,
            self.time_zone,
            self.name,
            self.email,
            sorted(self.answers.items()),
            list(self.guests),
        ]
        return sha256(json.dumps(body).encode()).hexdigest()


def checked(page: SchedulingPage, request: BookingRequest) -> BookingRequest:
    """Return the request with clean values; raise Invalid with a sentence for each wrong field."""
    wrong: dict[str, str] = {}
    place = zone(request.time_zone) if len(request.time_zone) <= MAX_LINE else None
    if place is None:
        wrong["time_zone"] = "This time zone is unknown; use a name such as Europe/Amsterdam."
    if request.duration not in page.durations:
        wrong["duration"] = "This page does not offer meetings of that length."
    if not MIN_INSTANT <= request.start < MAX_INSTANT:
        wrong["start"] = "This is not a time that can be booked."
    name = one_line(request.name)
    if not name or len(name) > MAX_NAME:
        wrong["name"] = f"Give your name in 1 to {MAX_NAME} characters."
    email = addr_spec(request.email)
    if email is None:
        wrong["email"] = "Give one e-mail address, such as name@example.org."
    guests = [addr_spec(guest) for guest in request.guests]
    if len(guests) > MAX_GUESTS or not all(guests):
        wrong["guests"] = f"Give at most {MAX_GUESTS} guests, each as one e-mail address."
    answers = dict(_answers(page, request.answers, wrong))
    if wrong:
        raise Invalid(wrong)
    assert place is not None
    assert email is not None
    others = dict.fromkeys(guest for guest in guests if guest and guest.lower() != email.lower())
    return replace(
        request,
        time_zone=place.name,
        name=name,
        email=email,
        answers=answers,
        guests=tuple(others),
        source=one_line(request.source)[:32] or "page",
        locale=one_line(request.locale)[:16] or "en",
    )


def check_key(key: str | None) -> None:
    """Raise Invalid unless the Idempotency-Key is visible ASCII, or absent."""
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid({"Idempotency-Key": f"A key has 1 to {MAX_KEY} visible ASCII characters."})


def one_line(text: str) -> str:
    """Return text on one line, without control characters and outer spaces."""
    return " ".join(clean_text(text).split())


def _answers(
    page: SchedulingPage, given: Mapping[str, str], wrong: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the answers to the page's questions; what the page does not ask is dropped."""
    for question in page.questions:
        raw = given.get(question.id, "")
        long = question.type is QuestionType.LONG_TEXT
        text = clean_text(raw).strip() if long else one_line(raw)
        sentence = _wrong_answer(question, text, MAX_TEXT if long else MAX_LINE)
        if sentence:
            wrong[f"answers.{question.id}"] = sentence
        elif text:
            yield question.id, text


def _wrong_answer(question: Question, text: str, longest: int) -> str:
    if not text:
        return "This question needs an answer." if question.required else ""
    if len(text) > longest:
        return f"An answer has at most {longest} characters."
    if question.type is QuestionType.CHOICE and text not in question.choices:
        return "Choose one of the answers."
    if question.type is QuestionType.PHONE and not _PHONE.fullmatch(text):
        return "Give a telephone number, such as +31 20 123 4567."
    return ""
