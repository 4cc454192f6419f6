"""Every live property, by its Clark name."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.dav.properties import access, calendar, principal, webdav
from gateway.dav.properties.live import Live

LIVE: Mapping[str, Live] = MappingProxyType(
    {one.name: one for family in (webdav, calendar, principal, access) for one in family.PROPERTIES}
)
ALLPROP = tuple(one.name for one in LIVE.values() if one.in_allprop)
