"""Typed names of what requests and applications carry."""

from aiohttp import web

from gateway.model.principal import Owner, Session
from gateway.services.registry import Services

SERVICES = web.AppKey("services", Services)
LOCALE = web.RequestKey("locale", str)
FORMATS = web.RequestKey("formats", str)
"""The region whose dates and times a reader expects, as a locale: `en_GB`."""
REMOTE = web.RequestKey("remote", str)
OWNER = web.RequestKey("owner", Owner)
SESSION = web.RequestKey("session", Session)
NO_FRAMES = web.RequestKey("no_frames", bool)
