"""robots.txt against the text and the examples of RFC 9309."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import robots
from robots import EVERYONE, Group, RobotsFile, Rule

# RFC 9309 section 5.1.
SIMPLE = b"""
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""


@pytest.mark.parametrize(
    ("agent", "path", "allowed"),
    [
        ("otherbot", "/a.gif", False),
        ("otherbot", "/a.gif?x", True),
        ("otherbot", "/example/page.html", False),
        ("otherbot", "/publications/", True),
        ("otherbot", "/publications/a.gif", True),
        ("foobot", "/", False),
        ("foobot", "/example/page.html", True),
        ("foobot", "/example/allowed.gif", True),
        ("foobot", "/example/other", False),
        ("barbot", "/example/page.html", False),
        ("bazbot", "/example/page.html", False),
        ("bazbot", "/a.gif", True),
        ("quxbot", "/a.gif", True),
    ],
)
def test_the_simple_example_of_the_rfc(agent: str, path: str, allowed: bool) -> None:
    """Section 5.1: each crawler obeys its own group, others the one for everyone."""
    assert robots.is_allowed(robots.parse(SIMPLE), agent, path) is allowed


def test_the_longest_match_decides() -> None:
    """Section 5.2: of two patterns that match, the one with more octets is used."""
    file = robots.parse(
        b"User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n"
    )

    assert robots.is_allowed(file, "foobot", "/example/page/")
    assert not robots.is_allowed(file, "foobot", "/example/page/disallowed.gif")


def test_groups_for_one_crawler_are_combined_without_case() -> None:
    """Section 2.2.1: two groups for ExampleBot are one, `EXAMPLEBOT/1.2` is the same crawler."""
    file = robots.parse(
        b"user-agent: ExampleBot\ndisallow: /foo\ndisallow: /bar\n\n"
        b"user-agent: OtherBot\ndisallow: /other\n\n"
        b"user-agent: examplebot\ndisallow: /baz\n"
    )

    for path in ("/foo", "/bar", "/baz"):
        assert not robots.is_allowed(file, "EXAMPLEBOT/1.2 (+https://bot.example)", path)
    assert robots.is_allowed(file, "ExampleBot", "/other")


@pytest.mark.parametrize(
    ("rule", "target"),
    [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%E3%83%84", "/foo/bar/ツ"),
        ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
        ("/foo/bar/baz", "/foo/bar/%62%61%7a"),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html"),
        ("/path/foo-%24", "/path/foo-$"),
        ("/100%", "/100%25"),
    ],
)
def test_one_character_has_one_spelling(rule: str, target: str) -> None:
    """Section 2.2.2 and 2.2.3: percent-encoding makes no difference where it has no meaning."""
    file = robots.parse(f"User-agent: *\nDisallow: {rule}\n".encode())

    assert not robots.is_allowed(file, "anybot", target)


def test_an_encoded_slash_is_not_a_slash() -> None:
    """A reserved character keeps its encoding in a path."""
    file = robots.parse(b"User-agent: *\nDisallow: /a%2Fb\n")

    assert robots.is_allowed(file, "anybot", "/a/b")
    assert not robots.is_allowed(file, "anybot", "/a%2fb")


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("/this/path/exactly$", "/this/path/exactly", True),
        ("/this/path/exactly$", "/this/path/exactly/", False),
        ("/this/*/exactly", "/this/path/exactly", True),
        ("/this/*/exactly", "/this/exactly", False),
        ("/*.php$", "/a/b.php", True),
        ("/*.php$", "/a/b.php?x", False),
        ("/*.php$", "/a.php/b.php", True),
        ("/a*b*c", "/aXbYc", True),
        ("/a*bc$", "/abc", True),
        ("/abc*bc$", "/abc", False),
        ("/fish", "/fishheads", True),
        ("/fish", "/Fish", False),
        ("/fish*", "/fish", True),
        ("*", "/anything", True),
        ("/$", "/", True),
        ("/$", "/a", False),
        ("", "/anything", False),
        ("/a$b", "/a$b", False),
    ],
)
def test_wildcards(pattern: str, path: str, matched: bool) -> None:
    """Section 2.2.3: `*` is any run of characters, `$` the end of the path."""
    file = robots.parse(f"User-agent: *\nDisallow: {pattern}\n".encode())

    assert robots.is_allowed(file, "anybot", path) is not matched


def test_an_allow_wins_against_an_equal_disallow() -> None:
    """Section 2.2.2: the least restrictive of two equivalent rules is used, in either order."""
    for text in (b"Allow: /x\nDisallow: /x\n", b"Disallow: /x\nAllow: /x\n"):
        assert robots.is_allowed(robots.parse(b"User-agent: *\n" + text), "anybot", "/x")


def test_the_file_itself_is_always_allowed() -> None:
    """Section 2.2.2: /robots.txt is implicitly allowed."""
    assert robots.is_allowed(robots.parse(b"User-agent: *\nDisallow: /\n"), "a", "/robots.txt")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_any_line_end_comment_and_byte_order_mark(end: bytes) -> None:
    """CR, LF and CRLF end a line; a comment and a byte order mark are no part of it."""
    data = end.join([b"\xef\xbb\xbfUser-Agent : * # all", b"\tDisallow:\t/x # not this", b""])

    assert robots.parse(data).groups == (
        Group(agents=(EVERYONE,), rules=(Rule(allow=False, path="/x"),)),
    )


def test_other_records_end_no_group() -> None:
    """Section 2.2.4: a Sitemap between two lines of a group does not interfere."""
    file = robots.parse(b"User-agent: a\nSitemap: https://x/s.xml\nUser-agent: b\nDisallow: /x\n")

    assert file.others == (("Sitemap", "https://x/s.xml"),)
    assert not robots.is_allowed(file, "a", "/x")


def test_a_rule_before_any_crawler_is_for_nobody() -> None:
    """A disallow line outside a group is skipped."""
    assert robots.is_allowed(robots.parse(b"Disallow: /\nUser-agent: *\nAllow: /\n"), "a", "/x")


def test_no_more_than_the_limit_is_read() -> None:
    """Section 2.5: 500 KiB are read; the line that the limit cuts is dropped."""
    head = b"User-agent: *\n"
    filler = b"# " + b"x" * (robots.SIZE_LIMIT - len(head) - 12) + b"\n"
    file = robots.parse(head + filler + b"Disallow: /abcdef\nDisallow: /late\n")

    assert robots.rules_for(file, "a") == []


@given(st.binary(max_size=400), st.text(max_size=40), st.text(max_size=40))
def test_every_byte_string_has_a_reading(data: bytes, agent: str, target: str) -> None:
    """Neither a hostile file nor a hostile target raises."""
    file = robots.parse(data)

    assert robots.is_allowed(file, agent, target) in (True, False)
    assert isinstance(robots.render(file), str)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00", b"User-agent: *\nDisallow: /\xff\n", b"\x00" * 9]
)
def test_bytes_that_are_no_text(data: bytes) -> None:
    """A path that is not UTF-8 is compared byte by byte."""
    file = robots.parse(data)

    assert robots.is_allowed(file, "a", "/%FF") is (b"/\xff" not in data)


PATHS = st.text(st.sampled_from("abc/*$?%2A=&é ツ"), max_size=12).map(
    lambda text: "/" + text.strip()
)
AGENTS = st.sampled_from([EVERYONE, "foobot", "BarBot", "baz-bot_x"])
FILES = st.builds(
    lambda groups: RobotsFile(groups=tuple(groups)),
    st.lists(
        st.builds(
            lambda agents, rules: Group(agents=tuple(agents), rules=tuple(rules)),
            st.lists(AGENTS, min_size=1, max_size=2),
            st.lists(st.builds(Rule, allow=st.booleans(), path=PATHS), min_size=1, max_size=3),
        ),
        max_size=3,
    ),
)


@given(FILES)
def test_what_is_rendered_reads_back(file: RobotsFile) -> None:
    """Rendering and parsing give the same file."""
    assert robots.parse(robots.render(file).encode()) == file


def test_no_value_can_add_a_line() -> None:
    """A line end or comment sign in a value stays inside its line."""
    file = RobotsFile(
        groups=(Group(agents=("*",), rules=(Rule(allow=False, path="/a\nAllow: /#\u2028x"),)),)
    )

    assert robots.render(file) == "User-agent: *\nDisallow: /aAllow: /%23x\n"
