"""The choice of time zones is kept by all that it shows."""

import re

from gateway.web.booking.zone_choice import zone_list

NOON = 1795521600  # 2026-11-24T12:00:00Z


def shown(now: int = NOON, chosen: str = "UTC", **facts: object) -> str:
    """Return the choices as they stand in the page."""
    plain = {"also": ("Europe/Amsterdam",), "every": False, "locale": "en"}
    return str(zone_list(now, chosen, **(plain | facts)))


def test_the_clocks_go_on() -> None:
    """The next minute shows the next minute; within one nothing changes."""
    assert "Tokyo · 21:00<" in shown()
    assert "Tokyo · 21:00<" in shown(NOON + 59)
    assert "Tokyo · 21:01<" in shown(NOON + 60)


def test_the_chosen_zone_is_chosen() -> None:
    """Each visitor's zone is selected, and it alone; what is not common is added."""
    for name in ("UTC", "Asia/Tokyo", "Europe/Kirov"):
        assert re.findall(r'value="([^"]+)" selected', shown(chosen=name)) == [name]
    assert "Europe/Malta" in shown(also=("Europe/Malta",))
    assert "Europe/Malta" not in shown()


def test_the_reader_decides_on_the_words() -> None:
    """The heading of the zones without an area is in the reader's language."""
    assert 'label="Other"' in shown()
    assert 'label="Overig"' in shown(locale="nl") or 'label="Andere"' in shown(locale="nl")


def test_all_of_them_on_demand() -> None:
    """The long list is another one than the short."""
    assert shown(every=True).count("<option") > 300 > shown().count("<option")
