"""The operations that tell of people and settings: names, ids, user settings, time zones."""

from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

from gateway.sandbox.exchange.mailbox import Mailbox, refusal
from gateway.sandbox.exchange.occurrences import DAYS
from gateway.sandbox.exchange.soap import EwsError, M, Request, failure, response, success
from gateway.sandbox.exchange.zones import ZONES, standard_offset, turns_of

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def convert_id(mailbox: Mailbox, request: Request) -> str:
    """Return ids in another form; only the present one is made here."""
    messages = []
    for wanted in request.children("SourceIds"):
        try:
            forms = {wanted.get("Format"), request.body.get("DestinationFormat")}
            _check_id(mailbox, wanted.get("Id", "") if forms == {"EwsId"} else "")
        except EwsError as error:
            messages.append(failure("ConvertId", error))
            continue
        told = (
            f'<m:AlternateId {XSI} xsi:type="t:AlternateIdType" Format="EwsId" '
            f"Id={quoteattr(wanted.get('Id', ''))} Mailbox={quoteattr(mailbox.person.address)}/>"
        )
        messages.append(success("ConvertId", told))
    return response("ConvertId", messages)


def _check_id(mailbox: Mailbox, identifier: str) -> None:
    if identifier not in mailbox.folders:
        try:
            mailbox.item(identifier)
        except EwsError as error:
            raise EwsError("ErrorInvalidIdMalformed", "Id is malformed.") from error


def resolve_names(mailbox: Mailbox, request: Request) -> str:
    """Return the people whom a name means: an address, a name in the directory, a beginning."""
    wanted = (request.body.findtext(f"{M}UnresolvedEntry") or "").lower()
    found = [one for one in mailbox.directory if _is_called(one, wanted)]
    if not found:
        error = EwsError("ErrorNameResolutionNoResults", "No results were found.")
        return response("ResolveNames", [failure("ResolveNames", error)])
    told = "".join(
        f"<t:Resolution><t:Mailbox><t:Name>{escape(one.person.user)}</t:Name>"
        f"<t:EmailAddress>{escape(one.person.address)}</t:EmailAddress>"
        "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType>"
        "</t:Mailbox></t:Resolution>"
        for one in found
    )
    content = (
        f'<m:ResolutionSet TotalItemsInView="{len(found)}" IncludesLastItemInRange="true">'
        f"{told}</m:ResolutionSet>"
    )
    if len(found) == 1:
        return response("ResolveNames", [success("ResolveNames", content)])
    warning = (
        '<m:ResolveNamesResponseMessage ResponseClass="Warning">'
        "<m:MessageText>Multiple results were found.</m:MessageText>"
        "<m:ResponseCode>ErrorNameResolutionMultipleResults</m:ResponseCode>"
        "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
        f"{content}</m:ResolveNamesResponseMessage>"
    )
    return response("ResolveNames", [warning])


def _is_called(one: Mailbox, wanted: str) -> bool:
    person = one.person
    if wanted.startswith("/o="):
        return one.legacy_name.lower() == wanted
    address = wanted.removeprefix("smtp:")
    return person.address.lower().startswith(address) or person.user.lower().startswith(wanted)


def get_user_configuration(mailbox: Mailbox, request: Request) -> str:
    """Return the settings of Outlook on the web, where the person's time zone is."""
    asked = request.children("UserConfigurationName")
    name = request.body.find(f"{M}UserConfigurationName")
    called = name.get("Name", "") if name is not None else ""
    operation = "GetUserConfiguration"
    try:
        mailbox.folder(asked[0], right="Read")
        _check_settings(called)
    except EwsError as error:
        return response(operation, [failure(operation, error)])
    entry = "".join(
        f"<t:{part}><t:Type>String</t:Type><t:Value>{escape(value)}</t:Value></t:{part}>"
        for part, value in (("DictionaryKey", "timezone"), ("DictionaryValue", mailbox.time_zone))
    )
    told = (
        f'<m:UserConfiguration><t:UserConfigurationName Name="{called}">'
        f"{ET.tostring(asked[0], encoding='unicode')}</t:UserConfigurationName>"
        f"<t:Dictionary><t:DictionaryEntry>{entry}</t:DictionaryEntry></t:Dictionary>"
        "</m:UserConfiguration>"
    )
    return response(operation, [success(operation, told)])


def _check_settings(name: str) -> None:
    if name != "OWA.UserOptions":
        raise refusal("ErrorItemNotFound")


def get_server_time_zones(_mailbox: Mailbox, request: Request) -> str:
    """Return zones by their ids, or all of them, with their rules."""
    ids = request.body.find(f"{M}Ids")
    wanted = [one.text or "" for one in ids] if ids is not None else list(ZONES)
    told = "".join(_definition(name) for name in wanted if name in ZONES)
    content = f"<m:TimeZoneDefinitions>{told}</m:TimeZoneDefinitions>"
    return response("GetServerTimeZones", [success("GetServerTimeZones", content)])


def _definition(name: str) -> str:
    zone = ZoneInfo(ZONES[name])
    rule = f"trule:Microsoft/Registry/{name}/1"
    turns = turns_of(zone)
    offsets = {"Standard": standard_offset(zone)}
    for turn in turns:
        if turn.is_daylight:
            offsets["Daylight"] = turn.after
    periods = "".join(
        f'<t:Period Bias="{_duration(-int(offset.total_seconds()))}" Name="{kind}" '
        f'Id="{rule}-{kind}"/>'
        for kind, offset in offsets.items()
    )
    inside = "".join(
        f'<t:RecurringDayTransition><t:To Kind="Period">'
        f"{rule}-{'Daylight' if turn.is_daylight else 'Standard'}</t:To>"
        f"<t:TimeOffset>{_duration(int(turn.at.total_seconds()))}</t:TimeOffset>"
        f"<t:Month>{turn.month}</t:Month><t:DayOfWeek>{DAYS[turn.weekday]}</t:DayOfWeek>"
        f"<t:Occurrence>{turn.week}</t:Occurrence></t:RecurringDayTransition>"
        for turn in turns
    )
    inside = inside or f'<t:Transition><t:To Kind="Period">{rule}-Standard</t:To></t:Transition>'
    return (
        f'<t:TimeZoneDefinition Id="{name}" Name="{name}"><t:Periods>{periods}</t:Periods>'
        f'<t:TransitionsGroups><t:TransitionsGroup Id="0">{inside}</t:TransitionsGroup>'
        '</t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To>'
        "</t:Transition></t:Transitions></t:TimeZoneDefinition>"
    )


def _duration(seconds: int) -> str:
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else ''}PT{minutes // 60}H{minutes % 60}M"


PEOPLE = {
    "ConvertId": convert_id,
    "ResolveNames": resolve_names,
    "GetUserConfiguration": get_user_configuration,
    "GetServerTimeZones": get_server_time_zones,
}
