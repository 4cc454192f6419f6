"""/robots.txt of the gateway, judged by our reader of RFC 9309."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import robots
from gateway.model.principal import Indexing
from gateway.web.robots import robots_text


def allowed(text: str, agent: str, path: str) -> bool:
    """Tell whether a crawler that reads the text may fetch the path."""
    return robots.is_allowed(robots.parse(text.encode()), agent, path)


def test_hidden_has_both_exact_lines() -> None:
    """The wildcard line and the plain one stand there, each on a line of its own."""
    lines = robots_text(Indexing.HIDDEN, [""]).splitlines()

    assert "Disallow: /meetings*" in lines
    assert "Disallow: /meetings" in lines


@pytest.mark.parametrize("path", ["/meetings", "/meetings/jane", "/meetings/jane/intro?x=1"])
def test_hidden_keeps_every_crawler_off(path: str) -> None:
    """No crawler may fetch a booking page; the rest of the host is open."""
    text = robots_text(Indexing.HIDDEN, [""])

    assert not allowed(text, "Googlebot", path)
    assert allowed(text, "Googlebot", "/")


@pytest.mark.parametrize("mode", [Indexing.NOINDEX, Indexing.PUBLIC])
def test_the_other_modes_disallow_nothing(mode: Indexing) -> None:
    """A crawler must be able to read a page to see that it is not to be indexed."""
    text = robots_text(mode, [""])

    assert allowed(text, "Googlebot", "/meetings/jane")
    assert "/meetings" not in text


@pytest.mark.parametrize("mode", list(Indexing))
def test_the_owners_lines_are_kept(mode: Indexing) -> None:
    """Every line of the owner's stands in the file as written, and holds."""
    extra = "Disallow: /private\nUser-agent: BadBot\nDisallow: /\nSitemap: https://x.example/s.xml"
    text = robots_text(mode, [extra])

    assert set(extra.splitlines()) <= set(text.splitlines())
    assert not allowed(text, "Googlebot", "/private")
    assert not allowed(text, "BadBot", "/")


def test_a_line_about_one_crawler_opens_no_page_to_it() -> None:
    """A crawler that an owner names obeys only its own group, so ours is repeated for it."""
    text = robots_text(Indexing.HIDDEN, ["User-agent: Googlebot\nDisallow: /private"])

    assert not allowed(text, "Googlebot", "/meetings/jane")
    assert not allowed(text, "Googlebot", "/private")
    assert not allowed(text, "Otherbot", "/meetings/jane")


def test_an_owner_may_open_what_is_the_owners() -> None:
    """Alone on a host, the owner's longer Allow line wins."""
    text = robots_text(Indexing.HIDDEN, ["Allow: /meetings/jane"])

    assert allowed(text, "Googlebot", "/meetings/jane")
    assert not allowed(text, "Googlebot", "/meetings/joe")


def test_nobody_opens_the_pages_of_others() -> None:
    """On a host of several owners an Allow line is left out."""
    text = robots_text(Indexing.HIDDEN, ["Allow: /meetings/joe", "User-agent: X\nAllow: /"])

    assert not allowed(text, "Googlebot", "/meetings/joe")
    assert not allowed(text, "X", "/meetings/joe")


LINES = st.lists(
    st.builds(
        "{}: {}".format,
        st.sampled_from(["User-agent", "Disallow", "Sitemap", "# x", "Crawl-delay"]),
        st.sampled_from(["*", "Googlebot", "/private", "/", "", "https://x.example/s"]),
    ),
    max_size=5,
).map("\n".join)


@given(st.lists(LINES, min_size=1, max_size=3), st.sampled_from(["Googlebot", "Otherbot"]))
def test_hidden_is_hidden_whatever_owners_add(extras: list[str], agent: str) -> None:
    """Without an Allow line no combination of extra lines opens a booking page."""
    assert not allowed(robots_text(Indexing.HIDDEN, extras), agent, "/meetings/jane")
