"""Who may read the API and the page: tokens, cookies, other sites' pages, names that lead to loopback."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message
from structlog.testing import CapturingLogger

from adapters.web.api.access import COOKIE, SESSION_S, Access, bearer_of, cookies_of
from adapters.web.api.guard import Guard
from adapters.web.api.login import Form, login_routes
from adapters.web.api.origin import is_loopback, local_path
from adapters.web.journal import Journal

TOKEN, OTHER = "token-of-the-first-service", "token-of-the-second-one"
LOGIN = {"content-type": "application/x-www-form-urlencoded"}
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.now = 1_720_449_000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A guarded application that answers everything with its path."""

    def __init__(self, *tokens: str, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.access = Access(tokens, self.clock)
        self.log = CapturingLogger()
        app = Starlette(routes=[*login_routes(self.access, show_form), Route("/{path:path}", answer)])
        self.app = Guard(app, self.access, Journal(self.log))

    def send(self, method: str, path: str, host: str = "localhost:8081", **request: Any) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, **request)

        return asyncio.run(exchange())

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def log_in(self, token: str = TOKEN, wanted: str = "/", **headers: str) -> httpx.Response:
        fields = {**LOGIN, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.send("POST", "/login", headers=fields, data={"token": token, "next": wanted})


def show_form(request: Request, form: Form) -> Response:
    return PlainTextResponse(f"form {form.next} {form.problem and form.problem.reason}")


async def answer(request: Request) -> Response:
    return PlainTextResponse("secret")


def cookie_of(response: httpx.Response) -> str:
    """`name=value`, as a browser sends it back."""
    return response.headers["set-cookie"].partition(";")[0]


def bearer(token: str) -> str:
    return f"Bearer {token}"


def test_one_of_several_tokens_opens_everything() -> None:
    site = Site(TOKEN, OTHER)
    for token in (TOKEN, OTHER):
        assert site.get("/v1/inquiries/inq_1", authorization=bearer(token)).text == "secret"
    assert site.get("/metrics", authorization=f"bEaReR   {TOKEN} ").text == "secret"


def test_a_token_may_be_configured_as_its_digest() -> None:
    site = Site(f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest().upper()}")
    assert site.get("/v1/changes", authorization=bearer(TOKEN)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/inquiries/inq_1", "/v1/openapi.json", "/metrics", "/", "/nothing", "/staticky"])
def test_without_a_token_nothing_is_read(path: str) -> None:
    response = Site(TOKEN).get(path)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == 'Bearer realm="inquiry-ledger"'
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["reason"] == "no_token"


@pytest.mark.parametrize(
    "credentials",
    [
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        bearer(""),
        "Bearer",
        f"Basic {TOKEN}",
        TOKEN,
        bearer(f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}"),
        bearer(hashlib.sha256(TOKEN.encode()).hexdigest()),
        bearer(f"{TOKEN}, {TOKEN}"),
        bearer("tökén"),
        bearer("x" * 10_000),
    ],
)
def test_a_wrong_token_reads_nothing_and_is_not_repeated(credentials: str) -> None:
    site = Site(TOKEN)
    response = site.send("GET", "/v1/changes", headers={"authorization": credentials.encode()})
    assert response.status_code == 401
    assert len(credentials) < 8 or credentials not in response.text + str(site.log.calls)


@pytest.mark.parametrize("path", [f"/v1/changes?token={TOKEN}", f"/v1/changes?access_token={TOKEN}", f"/?t={TOKEN}"])
def test_a_token_in_the_address_is_none(path: str) -> None:
    assert Site(TOKEN).get(path).status_code == 401


def test_a_wrong_token_is_not_made_good_by_a_cookie() -> None:
    site = Site(TOKEN)
    cookie = cookie_of(site.log_in())
    assert site.get("/v1/changes", cookie=cookie, authorization=bearer("wrong")).status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/login", "/static/page.css", "/static/fonts/a.woff2"])
def test_probes_login_and_what_it_is_drawn_with_are_open(path: str) -> None:
    assert Site(TOKEN).get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "//livez",
        "/livez/",
        "/livez/../v1/changes",
        "/LIVEZ",
        "/static",
        "/static/",
        "/static/../v1/changes",
        "/static/%2e%2e/v1/changes",
        "/static/..%2fv1%2fchanges",
        "/static/..%5cv1",
        "/static//etc/passwd",
        "/static/./page.css",
        "/login/../v1/changes",
        "/login%00",
        "/%2e%2e/static/page.css",
        "/v1/changes?/static/page.css",
        "/v1/changes;/livez",
    ],
)
def test_a_path_with_tricks_is_not_open(path: str) -> None:
    assert asyncio.run(ask_as_written(Site(TOKEN), path)) == 401


async def ask_as_written(site: Site, target: str) -> int:
    """The status of GET, the path as uvicorn hands it on: without its query, percent-decoded, else as it is."""
    path, _, query = target.partition("?")
    sent: list[Message] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
    }

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await site.app(scope, receive, send)
    status: int = sent[0]["status"]
    return status


def test_a_browser_is_sent_to_the_login_and_back() -> None:
    site = Site(TOKEN)
    asked = site.get("/inquiries/inq_1?as_of=2024-07-08", **BROWSER)
    assert asked.status_code == 303
    assert asked.headers["cache-control"] == "no-store"
    wanted = parse_qs(urlsplit(asked.headers["location"]).query)["next"][0]
    assert wanted == "/inquiries/inq_1?as_of=2024-07-08"
    assert site.get(asked.headers["location"]).text == f"form {wanted} None"
    done = site.log_in(wanted=wanted)
    assert (done.status_code, done.headers["location"]) == (303, wanted)
    assert site.get(wanted, cookie=cookie_of(done), **BROWSER).text == "secret"


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/changes"), ("GET", "/metrics"), ("POST", "/")])
def test_what_is_for_programs_is_refused_also_to_a_browser(method: str, path: str) -> None:
    assert Site(TOKEN).send(method, path, headers=BROWSER).status_code == 401


def test_the_cookie_is_for_this_site_and_not_for_scripts() -> None:
    header = Site(TOKEN).log_in().headers["set-cookie"]
    assert header.startswith(f"{COOKIE}=")
    assert header.partition("; ")[2] == f"Max-Age={SESSION_S}; Path=/; HttpOnly; SameSite=Strict"
    assert TOKEN not in header
    assert Site(TOKEN).log_in(x_forwarded_proto="https").headers["set-cookie"].endswith("; Secure")


def test_logging_out_drops_the_cookie() -> None:
    response = Site(TOKEN).send("POST", "/logout")
    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert response.headers["set-cookie"].startswith(f"{COOKIE}=; Max-Age=0; Path=/")


def test_a_session_ends_after_twelve_hours() -> None:
    site = Site(TOKEN)
    cookie = cookie_of(site.log_in())
    site.clock.now += SESSION_S
    assert site.get("/", cookie=cookie).status_code == 200
    site.clock.now += 1
    assert site.get("/", cookie=cookie).status_code == 401


def test_a_session_from_the_future_is_none() -> None:
    site = Site(TOKEN)
    cookie = cookie_of(site.log_in())
    site.clock.now -= 1
    assert site.get("/", cookie=cookie).status_code == 401


def test_a_session_ends_with_its_token_and_only_with_it() -> None:
    first, second = cookie_of(Site(TOKEN, OTHER).log_in(TOKEN)), cookie_of(Site(TOKEN, OTHER).log_in(OTHER))
    left = Site(OTHER)
    assert left.get("/", cookie=first).status_code == 401
    assert left.get("/", cookie=second).status_code == 200


def test_whoever_knows_only_the_digest_makes_no_session() -> None:
    configured = f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}"
    ours, elsewhere = Site(configured), Site(configured)
    assert ours.get("/", cookie=cookie_of(ours.log_in())).status_code == 200
    assert ours.get("/", cookie=cookie_of(elsewhere.log_in())).status_code == 401


def test_a_changed_cookie_is_none() -> None:
    site = Site(TOKEN)
    good = cookie_of(site.log_in())
    value = good.removeprefix(f"{COOKIE}=")
    for position in range(len(value)):
        changed = value[:position] + ("A" if value[position] != "A" else "B") + value[position + 1 :]
        assert site.access.remembers(changed) is (changed[-1] != value[-1] and _same_bits(changed, value))
    for other in ("", ".", "..", "reader", value[:-1], value + "A", "x" * 100_000, "é" * 40, f'"{value}"'):
        assert not site.access.remembers(other)


def _same_bits(one: str, other: str) -> bool:
    """base64 leaves two bits of the last character unused."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet.index(one[-1]) >> 2 == alphabet.index(other[-1]) >> 2


def test_only_our_cookie_counts_wherever_it_stands() -> None:
    site = Site(TOKEN)
    good = cookie_of(site.log_in())
    assert site.get("/", cookie=f"a=b; {COOKIE}=forged; {good}; c").status_code == 200
    assert site.get("/", cookie=good.replace(COOKIE, "other")).status_code == 401
    assert site.get("/", cookie=good.replace(COOKIE, COOKIE.upper())).status_code == 401
    assert len(cookies_of(f"{COOKIE}=x;" * 1_000)) < 10


FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "accept": "text/event-stream"},
    {"sec-fetch-site": "anything"},
    {"origin": "http://evil.example"},
    {"origin": "http://localhost:9999"},
    {"origin": "http://evil.localhost:8081"},
    {"origin": "null"},
    {"origin": ""},
    {"sec-fetch-site": "same-origin", "origin": "http://evil.example"},
]


@pytest.mark.parametrize("fields", FOREIGN, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_another_site_sends_is_refused(method: str, fields: dict[str, str]) -> None:
    logged_in, open_to_all = Site(TOKEN), Site()
    cookie = cookie_of(logged_in.log_in())
    for site, more in ((logged_in, {"cookie": cookie}), (open_to_all, {})):
        response = site.send(method, "/v1/changes", headers={**fields, **more})
        assert (response.status_code, response.json()["reason"]) == (403, "cross_site")


@pytest.mark.parametrize("fields", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_another_site_logs_nobody_in_or_out(path: str, fields: dict[str, str]) -> None:
    response = Site(TOKEN).send("POST", path, headers={**LOGIN, **fields}, data={"token": TOKEN})
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "http://localhost:8081"},
        {"sec-fetch-site": "none"},
        {"origin": "https://LOCALHOST:8081"},
    ],
)
def test_our_own_page_is_not_another_site(fields: dict[str, str]) -> None:
    site = Site(TOKEN)
    cookie = cookie_of(site.log_in(**{name.replace("-", "_"): value for name, value in fields.items()}))
    assert site.send("GET", "/v1/changes", headers={**fields, "cookie": cookie}).status_code == 200
    assert Site().send("POST", "/v1/callbacks", headers=fields).status_code != 403


def test_a_token_may_come_from_anywhere_since_no_page_can_send_it_unasked() -> None:
    response = Site(TOKEN).get("/v1/changes", authorization=bearer(TOKEN), origin="http://other.example")
    assert response.status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LocalHost:1", "127.0.0.1:8081", "127.8.9.1", "[::1]:8081", "[::1]"])
def test_without_tokens_loopback_is_served(host: str) -> None:
    assert Site().send("GET", "/v1/changes", headers={"host": host}).text == "secret"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8081",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example#localhost",
        "localhost:8081:1",
        "localhost:",
        "192.168.1.7",
        "0.0.0.0",
        "[::]",
        "10.0.0.1:127",
        "",
        "2130706433",
        "0x7f.1",
        "ｌocalhost",
    ],
)
@pytest.mark.parametrize("path", ["/v1/changes", "/", "/livez", "/login", "/static/page.css"])
def test_without_tokens_another_name_is_refused(host: str, path: str) -> None:
    response = Site().send("GET", path, headers={"host": host.encode()})
    assert (response.status_code, response.json()["reason"]) == (403, "wrong_host")


def test_with_tokens_every_name_is_served() -> None:
    response = Site(TOKEN).send("GET", "/v1/changes", host="ledger.example", headers={"authorization": bearer(TOKEN)})
    assert response.status_code == 200


def test_a_host_is_loopback_or_not() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.255.255.254", "::1", "[::1]")))
    assert not any(map(is_loopback, ("", "0.0.0.0", "::", "::ffff:10.0.0.1", "localhost.", "128.0.0.1", "[localhost")))


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nset-cookie: a=b",
        "/a\\b",
        " /",
        "",
        '/"><script>',
        "/é",
        "/" + "x" * 3_000,
        "/%0d%0a\x00",
    ],
)
def test_a_login_leads_nowhere_else(path: str) -> None:
    assert local_path(path) == "/"
    assert Site(TOKEN).log_in(wanted=path).headers["location"] == "/"


def test_a_refused_request_for_another_host_does_not_come_back_there() -> None:
    for path in ("//evil.example", "/%5c/evil.example", "/\\evil.example"):
        location = Site(TOKEN).get(f"http://localhost{path}", **BROWSER).headers["location"]
        assert local_path(parse_qs(urlsplit(location).query)["next"][0]) in ("/", path)
        assert not parse_qs(urlsplit(location).query)["next"][0].startswith(("//", "/\\"))


def test_a_login_with_a_wrong_token_says_so_and_gives_no_cookie() -> None:
    site = Site(TOKEN)
    for token in ("wrong", "", TOKEN.upper()):
        response = site.log_in(token, "/inquiries")
        assert (response.status_code, response.text) == (401, "form /inquiries wrong_token")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert "set-cookie" not in response.headers


def test_a_login_with_a_strange_body_is_a_wrong_one() -> None:
    for body in (b"", b"\xff\xfe", b"token=%ff%00&token=b", b"&" * 60_000, b"next=//evil.example"):
        response = Site(TOKEN).send("POST", "/login", headers=LOGIN, content=body)
        assert (response.status_code, response.text) == (401, "form / wrong_token")


def test_without_tokens_the_login_leads_on() -> None:
    assert Site().get("/login?next=/inquiries").headers["location"] == "/inquiries"
    assert Site().log_in("anything").status_code == 401


def test_many_wrong_tokens_are_slowed_down_and_good_ones_are_not() -> None:
    site = Site(TOKEN)
    ask: list[Callable[[], httpx.Response]] = [
        lambda: site.get("/v1/changes", authorization=bearer("wrong")),
        lambda: site.log_in("wrong"),
    ]
    statuses = [ask[number % 2]().status_code for number in range(30)]
    assert statuses == [401] * 20 + [429] * 10
    assert ask[0]().headers["retry-after"] == "5"
    assert site.get("/v1/changes", authorization=bearer(TOKEN)).status_code == 200
    assert site.log_in(TOKEN).status_code == 303
    site.clock.now += 2
    assert [ask[0]().status_code for _ in range(3)] == [401, 401, 429]
    site.clock.now -= 3_600
    assert ask[0]().status_code == 429


def test_a_refusal_is_one_line_without_a_word_of_the_request() -> None:
    site = Site(TOKEN)
    site.get("/v1/inquiries/inq_personal?q=jane", authorization=bearer("personal-token"), cookie="a=personal-cookie")
    (call,) = site.log.calls
    assert call.kwargs["reason"] == "wrong_token"
    assert not any(word in str(call) for word in ("personal", "jane"))


def test_tokens_are_compared_in_constant_time_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return compare(one, other)

    access = Access([TOKEN, OTHER, "a third token of them"], Clock())
    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    for token in (TOKEN, OTHER, "wrong"):
        compared.clear()
        access.knows(token)
        assert len(compared) == 3
        assert {len(digest) for digest in compared} == {32}


def test_no_token_is_kept() -> None:
    access = Access([TOKEN], Clock())
    kept = str([(known.digest, vars(known.signer)) for known in access._known])
    assert TOKEN not in kept


def test_a_field_that_holds_something_else_holds_no_token() -> None:
    assert bearer_of("Bearer x") == "x"
    assert [bearer_of(field) for field in ("", "Bearer", "Basic x", "Bearerx")] == [None, "", None, None]
