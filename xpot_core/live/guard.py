"""Who may see the page: whoever knows the token, under an address of this machine, with nothing but GET.

Other users of the machine can reach the port, and so can any page that is open in the browser (by DNS rebinding
even with another host name): the token keeps out the former, token and host name the latter.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
"""Names that the Host header may hold."""

_EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""The hash of nothing: plotly fills an empty style element through the object model, and empties attributes."""
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {_EMPTY}",
        f"style-src-attr 'unsafe-hashes' {_EMPTY}",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
"""Of every answer."""


class Guard:
    """Lets through what may see the page, with the token taken off the path.

    Parameters
    ----------
    app
        What answers then.
    token
        First part of every path.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        from starlette.responses import PlainTextResponse

        if scope["type"] != "http":
            return
        _, _, rest = scope["path"].partition("/")
        token, slash, inner = rest.partition("/")
        answer: ASGIApp = self.app
        if scope["method"] not in ("GET", "HEAD"):
            answer = PlainTextResponse("this page only shows", 405, {"allow": "GET, HEAD"})
        elif not (secrets.compare_digest(token.encode(), self.token.encode()) and slash):
            answer = PlainTextResponse(
                "the address lacks its token: use the one that xpot serve printed", 403
            )
        else:
            path = f"/{inner}"
            scope = {**scope, "path": path, "raw_path": path.encode()}

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await answer(scope, receive, guarded)
