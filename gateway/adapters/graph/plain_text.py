"""The text of an HTML body: lines where blocks end, nothing of styles and scripts (pure)."""

import re
from html.parser import HTMLParser

UNSEEN = frozenset({"style", "script", "head", "title", "template"})
BLOCKS = frozenset(
    {"p", "div", "br", "li", "tr", "table", "hr", "h1", "h2", "h3", "h4", "h5", "h6"}
)
MAX_HTML = 512 * 1024


def plain_text(html: str) -> str:
    """Return what a reader sees of an HTML document."""
    reader = _Reader()
    reader.feed(html[:MAX_HTML])
    reader.close()
    text = "".join(reader.parts).replace("\N{NO-BREAK SPACE}", " ")
    lines = [re.sub(r"[ \t\r\f]+", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in UNSEEN:
            self._hidden.append(tag)
        elif tag in BLOCKS and self.parts:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
        elif tag in BLOCKS and tag != "br":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            # A line end of the source is a space on the page.
            self.parts.append(data.replace("\n", " "))
