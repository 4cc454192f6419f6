"""What a client prefers: `Prefer` (RFC 7240, RFC 8144) and its older sibling `Brief: t`."""

from dataclasses import dataclass

from multidict import CIMultiDictProxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """`minimal` leaves out what was not found, `representation` sends back what was stored."""

    minimal: bool = False
    representation: bool = False
    depth_noroot: bool = False

    @property
    def applied(self) -> dict[str, str]:
        """The header that says which preferences were honoured; empty for none."""
        words = [
            word
            for word, is_wanted in (
                ("return=minimal", self.minimal),
                ("return=representation", self.representation),
                ("depth-noroot", self.depth_noroot),
            )
            if is_wanted
        ]
        return {"Preference-Applied": ", ".join(words), "Vary": "Prefer, Brief"} if words else {}


def read_preferences(headers: CIMultiDictProxy[str]) -> Preferences:
    """Read the preferences of a request; what is not known is left alone, as RFC 7240 wants."""
    words = {
        word.partition(";")[0].strip().lower().replace('"', "")
        for line in headers.getall("Prefer", ())
        for word in line.split(",")
    }
    is_brief = headers.get("Brief", "").strip().lower() in ("t", "true")
    minimal = is_brief or bool(words & {"return=minimal", "return-minimal"})
    return Preferences(
        minimal=minimal,
        representation=not minimal
        and bool(words & {"return=representation", "return-representation"}),
        depth_noroot="depth-noroot" in words,
    )
