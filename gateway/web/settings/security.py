"""`/settings/security`: the password, app passwords for calendar programs, tokens for the API."""

from aiohttp import web

from gateway.errors import Invalid, NotFound
from gateway.model.principal import CredentialKind
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see, start_session
from gateway.web.keys import REMOTE
from gateway.web.settings.wording import _, note
from gateway.web.templating import page

PATH = "/settings/security"
KINDS = {"app-passwords": CredentialKind.APP_PASSWORD, "api-tokens": CredentialKind.API_TOKEN}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of passwords and tokens."""
    return [
        reads(services, PATH, show),
        acts(services, f"{PATH}/password", change_password),
        acts(services, f"{PATH}/sessions", sign_out_elsewhere),
        acts(services, f"{PATH}/{{kind:{'|'.join(KINDS)}}}", add),
        acts(services, f"{PATH}/credentials/{{id}}/remove", remove),
    ]


async def show(visit: Visit) -> web.StreamResponse:
    """Show what signs in as the owner, without any secret."""
    return await _shown(visit)


async def change_password(visit: Visit) -> web.StreamResponse:
    """Change the password; every session ends, and this browser gets a new one."""
    form, services = visit.form, visit.services
    new = form.get("new", "")
    if new != form.get("again", ""):
        return await _shown(visit, errors={"again": _("The two new passwords are not the same.")})
    try:
        signed_in = await services.owners.change_password(
            visit.owner, form.get("old", ""), new, visit.request[REMOTE]
        )
    except Invalid as error:
        return await _shown(visit, errors=error.fields)
    answer = see(PATH, done="password")
    start_session(answer, services, signed_in)
    raise answer


async def sign_out_elsewhere(visit: Visit) -> web.StreamResponse:
    """End every other session; this browser gets a new one."""
    signed_in = await visit.services.owners.end_other_sessions(visit.owner)
    answer = see(PATH, done="elsewhere")
    start_session(answer, visit.services, signed_in)
    raise answer


async def add(visit: Visit) -> web.StreamResponse:
    """Make an app password or a token; this answer is the only one that shows it."""
    kind = KINDS[visit.request.match_info["kind"]]
    try:
        credential, secret = await visit.services.owners.add_credential(
            visit.owner.id, kind, visit.form.text("label")
        )
    except Invalid as error:
        sentence = next(iter(error.fields.values()))
        return await _shown(visit, errors={f"label-{kind.value}": sentence})
    return await _shown(visit, told=(kind, credential.label, secret))


async def remove(visit: Visit) -> web.StreamResponse:
    """Remove an app password or token: it does not work any more."""
    if not await visit.services.owners.remove_credential(visit.owner.id, visit.id):
        raise NotFound("credential")
    raise see(PATH, done="credential-removed")


async def _shown(
    visit: Visit,
    *,
    errors: dict[str, str] | None = None,
    told: tuple[CredentialKind, str, str] | None = None,
) -> web.Response:
    services, owner = visit.services, visit.owner
    base = services.edge.public_url.rstrip("/")
    facts = {
        "note": note(visit.request),
        "errors": errors or {},
        "told": told,
        "app_passwords": await services.owners.credentials(owner.id, CredentialKind.APP_PASSWORD),
        "api_tokens": await services.owners.credentials(owner.id, CredentialKind.API_TOKEN),
        "caldav": f"{base}/dav/",
        "api": f"{base}/api/v1",
    }
    return page(visit.request, "settings/security.html", facts, status=422 if errors else 200)
