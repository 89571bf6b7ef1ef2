"""What to say to a person whom a Ray cluster does not let in."""

from __future__ import annotations

import os

from ray._private.authentication.authentication_token_setup import (
    AuthenticationMode,
    AuthenticationTokenLoader,
    get_authentication_mode,
)
from ray.exceptions import AuthenticationError

from study.spec import UserError

PLACES = "RAY_AUTH_TOKEN, a file named by RAY_AUTH_TOKEN_PATH, or ~/.ray/auth_token"
"""Where Ray looks for a token, in this order."""


def refusal(address: str) -> UserError:
    """The error for a cluster that wants a token, and not the one that we have."""
    try:
        has_token = AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True)
    except AuthenticationError:  # the file is named, but cannot be used
        path = os.environ.get("RAY_AUTH_TOKEN_PATH")
        return UserError(f"RAY_AUTH_TOKEN_PATH={path}: the token file cannot be read, or is empty")
    if not has_token:
        return UserError(
            f"{address} asks for a token, and there is none: set RAY_AUTH_MODE=token, and {PLACES}"
        )
    if get_authentication_mode() != AuthenticationMode.TOKEN:
        return UserError(f"{address} asks for a token: set RAY_AUTH_MODE=token to show ours")
    return UserError(f"{address} refuses our token: it is another cluster's (see {PLACES})")
