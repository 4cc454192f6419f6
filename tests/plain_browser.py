"""A browser without scripts: keeps cookies, follows redirects, sends the forms it was shown."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, CookieJar
from yarl import URL


@dataclass
class ShownForm:
    """A form as it stands on a page: what it would send, and the buttons it can be sent with."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def value(self, name: str) -> str | None:
        """Return what the form holds in a field."""
        return next((value for key, value in self.fields if key == name), None)


@dataclass
class ShownPage:
    """An answer: where the redirects ended, the text, the forms."""

    status: int
    url: URL
    text: str
    headers: dict[str, str]
    forms: list[ShownForm]

    def form(self, action: str) -> ShownForm:
        """Return the form that goes to a path."""
        found = [one for one in self.forms if one.action == action]
        assert found, f"no form to {action} on {self.url}: {[one.action for one in self.forms]}"
        return found[0]


class PlainBrowser:
    """One person's browser on one site."""

    def __init__(self, base: str, *, language: str = "en") -> None:
        self.base = URL(base)
        self.session = ClientSession(
            cookie_jar=CookieJar(unsafe=True), headers={"Accept-Language": language}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.session.close()

    async def open(self, path: str, *, follow: bool = True) -> ShownPage:
        """Open a page."""
        return await self._ask("GET", path, None, follow=follow, headers={})

    async def send(
        self, form: ShownForm, button: tuple[str, str] | None = None, **values: str
    ) -> ShownPage:
        """Send a form with some of its fields changed, by one of its buttons if that matters."""
        left = dict(values)
        pairs = [(name, left.pop(name) if name in left else value) for name, value in form.fields]
        return await self.post(form.action, [*pairs, *left.items(), *([button] if button else [])])

    async def post(
        self,
        path: str,
        pairs: list[tuple[str, str]],
        *,
        follow: bool = True,
        headers: dict[str, str] | None = None,
    ) -> ShownPage:
        """Post these fields, whether a form has them or not."""
        return await self._ask("POST", path, pairs, follow=follow, headers=headers or {})

    async def sign_in(self, email: str, password: str) -> ShownPage:
        """Sign in through the form."""
        page = await self.open("/login")
        return await self.send(page.form("/login"), email=email, password=password)

    def cookies(self) -> dict[str, str]:
        """Return the cookies that the site's pages get."""
        jar = self.session.cookie_jar.filter_cookies(self.base)
        return {name: morsel.value for name, morsel in jar.items()}

    async def _ask(
        self,
        method: str,
        path: str,
        pairs: list[tuple[str, str]] | None,
        *,
        follow: bool,
        headers: dict[str, str],
    ) -> ShownPage:
        """Ask for a path of the site, or for an address elsewhere that a page leads to."""
        elsewhere = "://" in path
        there = path if elsewhere else f"{self.base.origin()}{path}"
        address = URL(there, encoded=not elsewhere)
        async with self.session.request(
            method, address, data=pairs, allow_redirects=follow, headers=headers
        ) as answer:
            text = await answer.text()
            reader = _Reader()
            reader.feed(text)
            return ShownPage(
                status=answer.status,
                url=answer.url,
                text=text,
                headers=dict(answer.headers),
                forms=reader.forms,
            )


class _Reader(HTMLParser):
    """Collects forms by the rules of the HTML standard for constructing the entry list."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[ShownForm] = []
        self._form: ShownForm | None = None
        self._area: str | None = None
        self._text = ""
        self._select: str | None = None
        self._options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = ShownForm(action=values.get("action", ""))
            self.forms.append(self._form)
        if self._form is None or "disabled" in values:
            return
        name = values.get("name", "")
        if tag == "input" and name:
            self._input(name, values)
        elif tag == "button" and name:
            self._form.buttons.append((name, values.get("value", "")))
        elif tag == "textarea" and name:
            self._area, self._text = name, ""
        elif tag == "select" and name:
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((values.get("value", ""), "selected" in values))

    def _input(self, name: str, values: dict[str, str]) -> None:
        assert self._form is not None
        kind = values.get("type", "text")
        if kind in ("submit", "button", "image", "reset", "file"):
            return
        if kind in ("checkbox", "radio") and "checked" not in values:
            return
        self._form.fields.append((name, values.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if self._form is None:
            return
        if tag == "textarea" and self._area is not None:
            self._form.fields.append((self._area, self._text.removeprefix("\n")))
            self._area = None
        elif tag == "select" and self._select is not None:
            chosen = [value for value, selected in self._options if selected]
            first = [value for value, _ in self._options[:1]]
            self._form.fields += [(self._select, value) for value in (chosen or first)[:1]]
            self._select = None
