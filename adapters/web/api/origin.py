"""Where a request comes from, as a browser says it: against pages of other sites that use a reader's browser.

A browser sends cookies, and reaches loopback, on behalf of any page; what it says of that page in `Origin` and
`Sec-Fetch-Site` a page cannot forge. (What is no browser needs no such detour.)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import quote

from starlette.types import Scope

Fields = Mapping[bytes, bytes]

_SAME_SITE = (b"same-origin", b"none")

#: Longer ones are not gone back to after a login.
_MAX_NEXT = 2_000


def is_foreign(fields: Fields) -> bool:
    """Whether another page than ours has sent it (Fetch Metadata; RFC 6454)."""
    if fields.get(b"sec-fetch-site", b"none") not in _SAME_SITE:
        return True
    origin = fields.get(b"origin")
    return origin is not None and origin.partition(b":")[2].lower() != b"//" + fields.get(b"host", b"").lower()


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine itself: `localhost`, 127.0.0.0/8, ::1 (also in brackets)."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return bare.lower() == "localhost" or ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def is_for_loopback(fields: Fields) -> bool:
    """Whether `Host` names this machine itself. A page whose own name leads to 127.0.0.1 says its own name there
    (DNS rebinding)."""
    host = fields.get(b"host", b"").decode("latin-1")
    name, colon, port = host.rpartition(":")
    return is_loopback(name if colon and port.isdigit() else host)


def is_https(scope: Scope) -> bool:
    """Whether the browser came by https, to us or to a proxy before us. Whoever forges the proxy's field only gets a
    cookie that plain HTTP does not send."""
    forwarded: bytes = dict(scope["headers"]).get(b"x-forwarded-proto", b"")
    return scope.get("scheme") == "https" or forwarded.strip().lower() == b"https"


def local_path(path: str) -> str:
    """`path` where it can only lead to this host, else `/`. Browsers take `//` and `/\\` for another host, and leave
    out control characters."""
    is_plain = path.isascii() and path.isprintable() and not any(mark in path for mark in ' \\"<>')
    is_local = path.startswith("/") and not path.startswith("//")
    return path if is_plain and is_local and len(path) <= _MAX_NEXT else "/"


def login_path(scope: Scope) -> str:
    """The login form's path, with the way back to this request."""
    query = scope.get("query_string", b"")
    wanted = (scope.get("raw_path") or b"/") + (b"?" + query if query else b"")
    return f"/login?next={quote(local_path(wanted.decode('latin-1')), safe='')}"
