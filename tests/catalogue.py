"""Every text that people read, and its translations: `python -m tests.catalogue` updates them.

Texts are found in templates, where code marks them with `_()` or hands them to `translate` and
`say`, and, as whole sentences, in the modules whose errors are shown to people.
"""

import ast
import importlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from gateway.web.i18n import DOMAIN, FOLDER, LOCALES, SOURCE

ROOT = Path(__file__).parent.parent / "gateway"
ADAPTERS = sorted(
    ".".join(path.relative_to(ROOT / "adapters").with_suffix("").parts)
    for path in (ROOT / "adapters").rglob("*.py")
    if path.stem != "__init__"
)
"""What sources say of themselves is shown beside a calendar."""
KEYWORDS = {"_": None, "ngettext": (1, 2), "translate": (2,), "say": (1,)}
SENTENCES = (
    *(f"gateway.adapters.{path}" for path in ADAPTERS),
    "gateway.model.contact",
    "gateway.model.page_rules",
    "gateway.model.slug",
    "gateway.services.booking",
    "gateway.services.booking_request",
    "gateway.services.claim",
    "gateway.services.connections",
    "gateway.services.exchange_account",
    "gateway.services.consent",
    "gateway.services.contacts",
    "gateway.services.grants",
    "gateway.services.meetings",
    "gateway.services.owners",
    "gateway.services.pages",
    "gateway.services.settings",
    "gateway.services.sign_ins",
    "gateway.services.trust",
    "gateway.storage.contacts",
)
"""Modules whose error sentences reach pages through the filter `said`."""

Message = str | tuple[str, str]


@cache
def messages() -> frozenset[Message]:
    """Return every English text: plural ones as a pair."""
    return frozenset([*_of_templates(), *_of_code(), *_of_errors()])


def _of_templates() -> Iterator[Message]:
    for path in sorted((ROOT / "web" / "templates").rglob("*.html")):
        with path.open("rb") as file:
            found = babel_extract(file, ["_", "ngettext", "gettext"], [], {"trimmed": "true"})
            for _line, function, message, _comments in found:
                yield from _told(message, of=2 if function == "ngettext" else 1)


def _of_code() -> Iterator[Message]:
    for path in sorted(ROOT.rglob("*.py")):
        if "cli" in path.parts:
            continue  # speaks English, to operators
        source = io.BytesIO(path.read_bytes())
        for _line, message, _comments, _context in extract("python", source, KEYWORDS):
            yield from _told(message, of=2)


def _told(found: object, *, of: int) -> Iterator[Message]:
    """Yield a text, or its singular and plural; nothing for what is no literal."""
    parts = (found if isinstance(found, tuple) else (found,))[:of]
    texts = [part for part in parts if isinstance(part, str) and part]
    if texts and len(texts) == len(parts):
        yield texts[0] if len(texts) == 1 else (texts[0], texts[1])


def _of_errors() -> Iterator[Message]:
    """Yield whole sentences of the listed modules, with `{name}` for what only a caller knows."""
    for name in SENTENCES:
        module = importlib.import_module(name)
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in _texts(tree):
            if id(node) in notes:
                continue
            text = _value(node, vars(module))
            begins = text[:1].isupper() or text[:1] == "{"
            if begins and text.endswith(".") and " " in text:
                yield text


def _texts(node: ast.AST) -> Iterator[ast.expr]:
    """Yield string expressions, of an f-string the whole and not its parts."""
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    ):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child)


def _value(node: ast.expr, names: dict[str, object]) -> str:
    """Return a text; in an f-string a constant of the module counts, and a fact is `{name}`."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_value(part, names) for part in node.values)
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.FormattedValue)
    used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    constants = {name: names[name] for name in used if name.isupper() and name in names}
    if used - set(constants):
        return f"{{{_name(node.value)}}}"
    whole = ast.Expression(ast.JoinedStr([node]))
    return str(eval(compile(ast.fix_missing_locations(whole), "<text>", "eval"), {}, constants))


def _name(node: ast.expr) -> str:
    """Return what a fact is called: the last word of how the code has it."""
    match node:
        case ast.Attribute(attr=word) | ast.Name(id=word):
            return word.strip("_")
        case ast.Call(func=called):
            return _name(called)
        case ast.Subscript(value=inner) | ast.BinOp(left=inner):
            return _name(inner)
    return "fact"


def read(locale: str) -> Catalog:
    """Return a locale's catalogue; empty where there is none yet."""
    path = path_of(locale)
    if not path.exists():
        return Catalog(locale=locale, domain=DOMAIN)
    with path.open("rb") as file:
        return read_po(file, locale=locale, domain=DOMAIN)


def path_of(locale: str) -> Path:
    """Return where a locale's catalogue lives."""
    return FOLDER / locale / "LC_MESSAGES" / f"{DOMAIN}.po"


def update(locale: str) -> list[Message]:
    """Bring a catalogue up to date; return the texts that lack a translation."""
    known = read(locale)
    # A fixed date: an update that changes no text changes no byte.
    fresh = Catalog(
        locale=locale,
        domain=DOMAIN,
        project="calgate",
        fuzzy=False,
        creation_date=datetime(2026, 11, 24, tzinfo=UTC),
        revision_date=datetime(2026, 11, 24, tzinfo=UTC),
    )
    fresh.header_comment = f"# {LOCALES[locale]} texts of calgate."
    missing = []
    for message in messages():
        before = known.get(message if isinstance(message, str) else message[0])
        text = before.string if before else ""
        fresh.add(message, text)
        if not text or (isinstance(text, tuple) and not all(text)):
            missing.append(message)
    path = path_of(locale)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, fresh, width=100, sort_output=True, no_location=True)
    return missing


if __name__ == "__main__":
    for wanted in LOCALES:
        if wanted != SOURCE:
            for lacking in sorted(update(wanted), key=str):
                print(f"{wanted}: {lacking!r}")
