"""SOAP envelopes of EWS: reading a request, writing answers and faults."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

S = "{http://schemas.xmlsoap.org/soap/envelope/}"
T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
SPACES = (
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" '
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
)
for _prefix, _space in (("s", S), ("t", T), ("m", M)):
    ET.register_namespace(_prefix, _space.strip("{}"))

BUILDS = {
    "Exchange2010": (14, 0, 639),
    "Exchange2010_SP1": (14, 1, 218),
    "Exchange2010_SP2": (14, 2, 247),
    "Exchange2013": (15, 0, 516),
    "Exchange2013_SP1": (15, 0, 847),
    "Exchange2016": (15, 1, 225),
    "Exchange2019": (15, 2, 1118),
    "ExchangeSE": (15, 2, 2562),
}
"""The builds a server can say it is."""
SCHEMAS = (
    "Exchange2007_SP1",
    "Exchange2010",
    "Exchange2010_SP1",
    "Exchange2010_SP2",
    "Exchange2013",
    "Exchange2013_SP1",
    "Exchange2016",
)
"""The schemas that a request can name, oldest first; 2019 and SE speak that of 2016."""


class EwsError(Exception):
    """A response code, for one item or for the whole request."""

    def __init__(self, code: str, text: str = "", *, back_off: int = 0) -> None:
        super().__init__(text or code)
        self.code, self.text, self.back_off = code, text or code, back_off


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request: the operation's element and the schema it asks for."""

    operation: str
    body: ET.Element
    schema: str

    def children(self, name: str) -> list[ET.Element]:
        """Return what is in a part of the request that has to be there."""
        found = self.body.find(f"{M}{name}")
        if found is None or not len(found):
            told = f"The request failed schema validation: {name}."
            raise EwsError("ErrorSchemaValidation", told)
        return list(found)


def read_request(data: bytes) -> Request:
    """Read an envelope; what is none is ValueError."""
    if b"<!DOCTYPE" in data:
        raise ValueError("a document type")
    try:
        envelope = ET.fromstring(data)  # noqa: S314 - entities need a document type, which was refused
    except ET.ParseError as error:
        raise ValueError("no XML") from error
    body = envelope.find(f"{S}Body")
    if body is None or len(body) != 1:
        raise ValueError("no body")
    asked = envelope.find(f"{S}Header/{T}RequestServerVersion")
    schema = asked.get("Version", "") if asked is not None else "Exchange2007_SP1"
    return Request(operation=body[0].tag.rpartition("}")[2], body=body[0], schema=schema)


def schema_of(version: str) -> str:
    """Return the newest schema that a server speaks."""
    return version if version in SCHEMAS else "Exchange2016"


def knows(version: str, schema: str) -> bool:
    """Tell whether a server speaks the schema of a request."""
    return schema in SCHEMAS and SCHEMAS.index(schema) <= SCHEMAS.index(schema_of(version))


def envelope(version: str, schema: str, body: str) -> bytes:
    """Return an answer with the server's own version in its header."""
    major, minor, build = BUILDS[version]
    header = (
        f'<h:ServerVersionInfo MajorVersion="{major}" MinorVersion="{minor}" '
        f'MajorBuildNumber="{build}" MinorBuildNumber="5" Version="{schema}" '
        'xmlns:h="http://schemas.microsoft.com/exchange/services/2006/types"/>'
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(error: EwsError) -> str:
    """Return a fault, as a server answers a request that it cannot take at all."""
    more = ""
    if error.back_off:
        more = (
            '<t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
            f'<t:Value Name="BackOffMilliseconds">{error.back_off}</t:Value></t:MessageXml>'
        )
    errors = "http://schemas.microsoft.com/exchange/services/2006/errors"
    return (
        '<s:Fault><faultcode xmlns:a="http://schemas.microsoft.com/exchange/services/2006/types">'
        f"a:{error.code}</faultcode>"
        f'<faultstring xml:lang="en-US">{escape(error.text)}</faultstring>'
        f'<detail><e:ResponseCode xmlns:e="{errors}">{error.code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{errors}">{escape(error.text)}</e:Message>{more}</detail></s:Fault>'
    )


def response(operation: str, messages: list[str]) -> str:
    """Return an operation's answer out of its messages."""
    return (
        f"<m:{operation}Response {SPACES}><m:ResponseMessages>{''.join(messages)}"
        f"</m:ResponseMessages></m:{operation}Response>"
    )


def success(operation: str, content: str) -> str:
    """Return the message of something that was done."""
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Success">'
        f"<m:ResponseCode>NoError</m:ResponseCode>{content}</m:{operation}ResponseMessage>"
    )


def failure(operation: str, error: EwsError, content: str = "") -> str:
    """Return the message of something that was not."""
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Error">'
        f"<m:MessageText>{escape(error.text)}</m:MessageText>"
        f"<m:ResponseCode>{error.code}</m:ResponseCode>"
        f"<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{content}</m:{operation}ResponseMessage>"
    )
