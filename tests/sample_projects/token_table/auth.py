"""Who makes a request, by a table of tokens: the shape that most projects begin with."""

from typing import Any

from langgraph_sdk import Auth

auth = Auth()

TOKENS: dict[str, dict[str, Any]] = {
    "token-of-ann": {"identity": "ann", "permissions": ["threads:read", "threads:write"], "github_token": "gh-ann"},
    "token-of-bob": {"identity": "bob", "display_name": "Bob"},
}


@auth.authenticate
async def authenticate(authorization: str | None, headers: dict[bytes, bytes]) -> Auth.types.MinimalUserDict:
    token = (authorization or "").removeprefix("Bearer ") or headers.get(b"x-api-key", b"").decode()
    if token == "broken":
        raise RuntimeError(f"the table has no place for {token}")
    if token not in TOKENS:
        raise Auth.exceptions.HTTPException(401, "Invalid token", headers={"WWW-Authenticate": "Bearer"})
    user: Any = TOKENS[token]
    return user
