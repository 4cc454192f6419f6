"""Lines of others: what is passed over by the stretch is just what line by line would be."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.model.content_line import Property, parse_line
from gateway.model.lenient_lines import (
    FEW_DATES,
    MAX_OBSERVANCES,
    MAX_PROPERTIES,
    MAX_RULES,
    STEP,
    read_leniently,
)

LEAD = ["BEGIN:VEVENT", *["X-A:1"] * MAX_PROPERTIES]
"""From here on only what tells the time of the event is read."""
TIMED = (
    "BEGIN:|END:|DT|DUE|DURATION|RRULE|RDATE|EXDATE|RECURRENCE-ID|UID|STATUS|TRANSP|SEQUENCE"
    "|CLASS|CREATED|COMPLETED|FREEBUSY|TZ|X-MICROSOFT|X-CALGATE"
)
TELLS_TIME = tuple(TIMED.split("|"))
OFTEN = ("BEGIN", "END", "EXDATE", "RDATE", "FREEBUSY")


def plainly(lines: list[str]) -> Iterator[Property]:
    """Read line by line what follows a component's limit, as the policy too-many says."""
    count, in_alarm = 0, False
    seen: Counter[str] = Counter()
    for line in lines:
        upper = line.upper()
        count += 1
        if count > MAX_PROPERTIES:
            if in_alarm and not upper.startswith(("BEGIN:", "END:")):
                continue
            ends_alarm = in_alarm and upper.startswith("END:VALARM")
            in_alarm = upper.rstrip() == "BEGIN:VALARM"
            if ends_alarm or in_alarm or not upper.startswith(TELLS_TIME):
                continue
        try:
            item = parse_line(line.rstrip())
        except ValueError:
            continue
        enough = MAX_RULES if item.name == "RRULE" else 1
        if count > MAX_PROPERTIES and item.name not in OFTEN and seen[item.name] >= enough:
            continue
        seen[item.name] += 1
        if item.name in ("BEGIN", "END"):
            seen.clear()
        if item.name == "BEGIN" and item.value.strip().upper() != "VALARM":
            count = 0
        yield item


def test_lenient_reading_passes_over_what_is_broken() -> None:
    """A feed's broken lines cost only themselves."""
    data = b"A:1\r\nnothing\r\nB\x00:2\r\nC:3\rD:4\r\n"

    assert [item.name for item in read_leniently(data)] == ["A", "B", "C", "D"]


def test_past_its_limit_a_component_is_read_for_its_time_only() -> None:
    """Of thousands of attendees, alarms and extensions the first stay, and every time counts."""
    many = b"ATTENDEE:mailto:a@example.org\r\nX-A:1\r\n" * MAX_PROPERTIES
    alarm = b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDURATION:PT1S\r\nEND:VALARM\r\n"
    event = b"BEGIN:VEVENT\r\n" + many + alarm * 10 + b"DTSTART:20261130T090000Z\r\nEND:VEVENT\r\n"
    names = Counter(item.name for item in read_leniently(event + event))

    assert names["DTSTART"] == names["BEGIN"] == names["END"] == 2
    assert names["DURATION"] == 0
    assert names["ATTENDEE"] == MAX_PROPERTIES  # half of the lines of each of two events


@pytest.mark.parametrize("after", [b"END:VEVENT", b"BEGIN:VEVENT"])
def test_an_alarm_without_an_end_swallows_no_event(after: bytes) -> None:
    """What is passed over of an alarm ends wherever anything else begins or ends."""
    data = b"X-A:1\r\n" * MAX_PROPERTIES + b"BEGIN:VALARM\r\nX:1\r\n" + after + b"\r\n"
    *_, last = read_leniently(data)

    assert f"{last.name}:{last.value}".encode() == after


@pytest.mark.parametrize("name", ["EXDATE", "RDATE;TZID=Europe/Amsterdam", "FREEBUSY"])
def test_long_runs_of_dates_come_as_lists(name: str) -> None:
    """Thousands of exceptions, one a line, say the same as in a few lists."""
    times = [f"{20261101 + day % 28}T{day // 28 % 24:02d}0000" for day in range(FEW_DATES * 2 + 7)]
    lines = "".join(f"{name}:{time}\r\n" for time in times) + f"{name};X=1:20261231T000000\r\n"
    found = list(read_leniently(lines.encode()))

    assert [time for item in found for time in item.value.split(",")] == [*times, "20261231T000000"]
    assert len(found) == 4
    assert found[0].params == found[1].params


def test_dates_of_several_kinds_by_turns_come_as_lists() -> None:
    """Lines of dates that take turns say, kind by kind, the same as in a few lists."""
    pair = "EXDATE:20261101T090000Z\r\nEXDATE;TZID=Asia/Tokyo:20261101T090000\r\n"
    found = list(read_leniently(f"{pair * FEW_DATES}X-A:1\r\n".encode()))

    assert [item.name for item in found] == ["EXDATE", "EXDATE", "X-A"]
    assert [len(item.value.split(",")) for item in found[:2]] == [FEW_DATES, FEW_DATES]


def test_few_dates_keep_their_lines_and_order() -> None:
    """What somebody wrote by hand comes as it was written."""
    lines = ["EXDATE:1", "RDATE:2", "EXDATE:3", "X-A:4"]
    found = read_leniently("\r\n".join(lines).encode())

    assert [f"{item.name}:{item.value}" for item in found] == lines


def test_of_thousands_of_rules_the_first_count() -> None:
    """Of what an event says again and again the first is read, of rules as many as count."""
    said = [f"{name}:{number}" for number in range(50) for name in ("UID", "RRULE")]
    found = Counter(item.name for item in read_leniently("\n".join([*LEAD, *said]).encode()))

    assert (found["UID"], found["RRULE"]) == (1, MAX_RULES)


def test_what_an_alarm_says_is_not_said_of_its_event() -> None:
    """A length that stands after an alarm with one of its own is read, however many lines."""
    alarm = ["BEGIN:VALARM", "DURATION:PT1M", *["X-A:1"] * MAX_PROPERTIES, "END:VALARM"]
    lines = ["BEGIN:VEVENT", *alarm, "DURATION:PT1H"]
    *_, last = read_leniently("\n".join(lines).encode())

    assert last == Property("DURATION", {}, "PT1H")


HEADS = [*TELLS_TIME, *(text.lower() for text in TELLS_TIME), *(text[:-1] for text in TELLS_TIME)]
LINES = st.one_of(
    st.sampled_from(["BEGIN:VALARM", "END:VALARM", "begin:valarm ", "Begin:VAlarm", "END:VALARMS"]),
    st.sampled_from(["END:VEVENT", "BEGIN:VEVENT", "BEGIN:X-Y", "END:X", "BEGIN :VALARM", "", "X"]),
    st.sampled_from(["EXDATE:20261201T090000Z", "RDATE:20261201T090000Z", "ACTION:DISPLAY"]),
    st.builds("{}{}".format, st.sampled_from(HEADS), st.sampled_from([":1", "", "X:1", ";A=b:1"])),
    st.builds("X-{}".format, st.text(alphabet="MICROSOFTAL:", max_size=12)),
    st.builds(lambda size: "X-LONG:" + "x" * size, st.integers(STEP - 40, STEP + 40)),
)


@given(st.lists(LINES, max_size=40), st.sampled_from(["\r\n", "\n"]), st.booleans())
@example(["BEGIN:VALARM", "X:1", "BEGIN:VEVENT"], "\n", True)
@example(["BEGIN:VALARM", "X:1", "END:VALARM", "DTSTART:1"], "\n", True)
@example(["BEGIN:VALARM", "X-LONG:" + "x" * STEP, "END:VALARM", "DTSTART:1"], "\n", False)
@example(["X-LONG:" + "x" * (STEP - 9), "DTSTART:1"], "\n", False)
def test_what_is_passed_over_is_what_line_by_line_would_be(
    lines: list[str], end: str, is_ended: bool
) -> None:
    """Past the limit the same properties come, whatever stands there and however long it is."""
    text = end.join([*LEAD, *lines]) + end * is_ended

    assert list(read_leniently(text.encode())) == list(plainly([*LEAD, *lines]))


@pytest.mark.parametrize("name", [name for name in TELLS_TIME if name[-1] != ":"])
@pytest.mark.parametrize("style", [str.upper, str.lower], ids=["upper", "lower"])
def test_what_tells_time_is_found_after_a_stretch(name: str, style: Callable[[str], str]) -> None:
    """None of the names that tell time is passed over with what does not."""
    text = "\n".join([*LEAD, "X-A:1", style(name) + ":1"])
    *_, last = read_leniently(text.encode())

    assert last == Property(name, {}, "1")


def _zone(observances: list[str]) -> bytes:
    return "\n".join(["BEGIN:VTIMEZONE", *observances, "END:VTIMEZONE", "BEGIN:VEVENT"]).encode()


def test_only_so_many_observances_of_a_zone_are_read() -> None:
    """What a zone says past its limit is left out, and begins anew with the next zone."""
    observance = "BEGIN:STANDARD\nDTSTART:19700101T000000\nEND:STANDARD"
    data = _zone([observance] * (MAX_OBSERVANCES + 10)) + b"\nEND:VEVENT\n"
    names = Counter((item.name, item.value) for item in read_leniently(data + data))

    assert names["BEGIN", "STANDARD"] == names["END", "STANDARD"] == 2 * MAX_OBSERVANCES
    assert names["BEGIN", "VTIMEZONE"] == names["END", "VTIMEZONE"] == 2
    assert names["BEGIN", "VEVENT"] == 2


@pytest.mark.parametrize(
    "last", ["BEGIN:STANDARD", "BEGIN:DAYLIGHT\nX:1", "BEGIN:STANDARD\nBEGIN:DAYLIGHT"]
)
def test_an_observance_without_an_end_swallows_nothing(last: str) -> None:
    """What is passed over of a zone ends wherever anything else begins or ends."""
    observance = "BEGIN:DAYLIGHT\nEND:DAYLIGHT"
    *_, zone, event = read_leniently(_zone([*[observance] * MAX_OBSERVANCES, last]))

    assert (zone, event) == (Property("END", {}, "VTIMEZONE"), Property("BEGIN", {}, "VEVENT"))


def test_alarms_count_among_the_lines_of_their_event() -> None:
    """An event is not read further because alarms stand in it."""
    lines = ["BEGIN:VEVENT", "BEGIN:VALARM", "END:VALARM", *["X-A:1"] * MAX_PROPERTIES]

    assert list(read_leniently("\n".join(lines).encode())) == list(plainly(lines))
