"""POX autodiscover (MS-OXDSCLI): where a mailbox's Exchange Web Services are."""

import re
from xml.sax.saxutils import escape

REQUEST = re.compile(rb"<EMailAddress>([^<]{3,320})</EMailAddress>")
SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover"


def pox_answer(data: bytes, *, url: str, redirect: str = "") -> bytes:
    """Return the settings of an address, or the address to ask for instead."""
    asked = REQUEST.search(data)
    address = asked[1].decode("utf-8", "replace") if asked else ""
    if redirect and address != redirect:
        account = f"<Action>redirectAddr</Action><RedirectAddr>{escape(redirect)}</RedirectAddr>"
        user = ""
    else:
        account = (
            "<AccountType>email</AccountType><Action>settings</Action><Protocol><Type>EXPR</Type>"
            f"<EwsUrl>{escape(url)}</EwsUrl></Protocol>"
        )
        user = f"<User><AutoDiscoverSMTPAddress>{escape(address)}</AutoDiscoverSMTPAddress></User>"
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{SCHEMA}/responseschema/2006">'
        f'<Response xmlns="{SCHEMA}/outlook/responseschema/2006a">{user}'
        f"<Account>{account}</Account></Response></Autodiscover>"
    ).encode()
