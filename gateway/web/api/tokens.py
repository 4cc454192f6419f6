"""API tokens: listed, made and revoked with one of them."""

from gateway.errors import NotFound
from gateway.model.principal import Credential, CredentialKind
from gateway.web.api import shapes
from gateway.web.api.operation import Call, Operation
from gateway.web.api.texts import text_of, text_or_none


def shown(one: Credential) -> shapes.Token:
    """Return a token as its owner sees it: never the secret."""
    return shapes.Token(
        id=one.id,
        label=one.label,
        created_at=text_of(one.created_at),
        last_used_at=text_or_none(one.last_used_at),
    )


async def list_tokens(call: Call) -> list[shapes.Token]:
    """Return the owner's API tokens."""
    found = await call.services.owners.credentials(call.me.id, CredentialKind.API_TOKEN)
    return [shown(one) for one in found]


async def create_token(call: Call) -> shapes.IssuedToken:
    """Make a token; its secret is told this once."""
    one, secret = await call.services.owners.add_credential(
        call.me.id, CredentialKind.API_TOKEN, call.body.label
    )
    return shapes.IssuedToken(
        id=one.id,
        label=one.label,
        created_at=text_of(one.created_at),
        last_used_at=None,
        token=secret,
    )


async def remove_token(call: Call) -> None:
    """Revoke a token; app passwords are not to be had here."""
    found = await call.services.owners.credentials(call.me.id, CredentialKind.API_TOKEN)
    if call.id not in {one.id for one in found}:
        raise NotFound("token")
    await call.services.owners.remove_credential(call.me.id, call.id)


OPERATIONS = (
    Operation(
        name="listTokens",
        method="GET",
        path="/tokens",
        about="The owner's API tokens.",
        handler=list_tokens,
        gives=list[shapes.Token],
    ),
    Operation(
        name="createToken",
        method="POST",
        path="/tokens",
        about="Make an API token; the secret is told once.",
        handler=create_token,
        takes=shapes.NewToken,
        gives=shapes.IssuedToken,
        status=201,
    ),
    Operation(
        name="removeToken",
        method="DELETE",
        path="/tokens/{id}",
        about="Revoke an API token.",
        handler=remove_token,
    ),
)
