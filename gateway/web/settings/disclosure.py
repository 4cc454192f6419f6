"""The required disclosure (S09): what an owner reads and accepts before an account is connected.

Law: a changed text is another version, because the log keeps which one somebody accepted.
"""

from gateway.web.settings.wording import _

VERSION = "2026-11-27"
TEXT = (
    _(
        "By accepting, you give this service access to this calendar and to every other calendar "
        "that can be reached through the account."
    ),
    _("It uses them to power your meetings, and to link events to your contacts."),
    _("It may create or change calendars, and update single events."),
)
