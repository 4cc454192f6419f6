"""Settings: read and saved by their owner."""

from dataclasses import replace

from msgspec import UNSET

from gateway.model.principal import Indexing, OwnerSettings
from gateway.web.api import shapes
from gateway.web.api.operation import Call, Operation


def shown(settings: OwnerSettings) -> shapes.Settings:
    """Return the settings as the API shows them."""
    return shapes.Settings(
        meetings_url=settings.meetings_url,
        default_page=settings.default_page or None,
        domain=settings.domain,
        indexing=settings.indexing.value,
        robots_extra=settings.robots_extra,
        chat=shapes.Chat(include_link=settings.chat_include_link, page=settings.chat_page or None),
        calendar_sync=settings.calendar_sync,
    )


def changed(current: OwnerSettings, wanted: shapes.SettingsFields) -> OwnerSettings:
    """Return the settings with the members that the request sets; null empties one."""
    if wanted.meetings_url is not UNSET:
        current = replace(current, meetings_url=wanted.meetings_url)
    if wanted.default_page is not UNSET:
        current = replace(current, default_page=wanted.default_page or "")
    if wanted.domain is not UNSET:
        current = replace(current, domain=wanted.domain or "")
    if wanted.indexing is not UNSET:
        current = replace(current, indexing=Indexing(wanted.indexing))
    if wanted.robots_extra is not UNSET:
        current = replace(current, robots_extra=wanted.robots_extra)
    if wanted.calendar_sync is not UNSET:
        current = replace(current, calendar_sync=wanted.calendar_sync)
    if wanted.chat is not UNSET:
        if wanted.chat.include_link is not UNSET:
            current = replace(current, chat_include_link=wanted.chat.include_link)
        if wanted.chat.page is not UNSET:
            current = replace(current, chat_page=wanted.chat.page or "")
    return current


async def get_settings(call: Call) -> shapes.Settings:
    """Return the owner's settings."""
    return shown(await call.services.settings.get(call.me))


async def save_settings(call: Call) -> shapes.Settings:
    """Save what the request sets."""
    current = await call.services.settings.get(call.me)
    wanted = changed(current, call.body)
    return shown(await call.services.settings.save(call.me, wanted))


OPERATIONS = (
    Operation(
        name="getSettings",
        method="GET",
        path="/settings",
        about="The owner's settings.",
        handler=get_settings,
        gives=shapes.Settings,
    ),
    Operation(
        name="saveSettings",
        method="PATCH",
        path="/settings",
        about="Save some settings.",
        handler=save_settings,
        takes=shapes.SettingsFields,
        gives=shapes.Settings,
        failures=("needs_seat", "custom_domains_off", "slug_taken"),
    ),
)
