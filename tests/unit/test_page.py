"""The page over a ledger in memory: what it shows, and that it shows it as text."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from adapters.memory.reading import MemoryQuery
from adapters.web.api.access import Access
from adapters.web.api.app import build_api
from adapters.web.api.cursor import decode_changes
from adapters.web.page.rendering import POLICY
from domain.errors import LedgerUnavailable, SchemaError
from domain.event import Event, format_time
from tests.builders import event, moment, rules
from tests.ledgers import Views, project
from tests.sites import NOW, count_at_edge, make_plan, memory_ledger, parts_over

#: What must only ever be text.
NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)",
    "'; DROP TABLE ledger.inquiry; --",
    "{{ 7 * 7 }}{% raw %}",
    "a/b?c=d&e#f%2e",
    "javascript:alert(1)",
    "مرحبا \u202e\u0001",
]


class Site:
    """The application over this query."""

    def __init__(self, query: MemoryQuery, **changed: Any) -> None:
        self.app = build_api(parts_over(query, **changed))

    def get(self, path: str, headers: Mapping[str, str] | None = None, /, **params: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.get(path, params=params or None, headers={"accept": "text/html", **(headers or {})})

        return asyncio.run(ask())

    def text(self, path: str, **params: str) -> str:
        """What a person reads of a page."""
        return read(self.get(path, **params))


def read(answer: httpx.Response) -> str:
    return as_text(answer.text)


def as_text(html: str) -> str:
    """What a person reads."""
    text = unescape(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", html, flags=re.DOTALL))
    return re.sub(r" ([,.;:)])", r"\1", re.sub(r"\s+", " ", text)).replace("( ", "(").strip()


def site_of(events: Sequence[Event], policy: str = "", **changed: Any) -> Site:
    """A ledger to which these events were written, one record a second from 2027 on. The clock stands after them."""
    ledger, query = memory_ledger()
    if events:
        project(Views(ledger, ledger.topic, ledger.view), events, rules=rules(policy))
    clock = (NOW + timedelta(days=3650)).timestamp
    return Site(query, **{"clock": clock, "rules": rules(policy), **changed})


@pytest.fixture(scope="module")
def sample() -> Site:
    """Sixty inquiries of the simulator, of every scenario."""
    return Site(memory_ledger(60)[1], read_edge=lambda: count_at_edge(make_plan(60)))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/?decision=approved", 200),
        ("/?q=nobody", 200),
        ("/ledger", 200),
        (f"/inquiries/{next(iter(make_plan(60).stories))}", 200),
        (f"/?q={next(iter(make_plan(60).stories))}", 303),
        ("/?status=gone", 400),
        ("/ledger?reason=gone", 400),
        ("/inquiries/inq_unknown", 404),
        ("/static/page.css", 200),
        ("/static/page.js", 200),
        ("/static/icon.svg", 200),
    ],
)
def test_every_answer_has_the_header_fields_that_keep_it_safe(sample: Site, path: str, status: int) -> None:
    answer = sample.get(path)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


def test_the_policy_lets_nothing_in_but_our_own_files() -> None:
    directives = dict(part.split(" ", 1) for part in POLICY.split("; "))
    assert directives.pop("default-src") == "'none'"
    assert set(directives.values()) == {"'self'", "'none'"}
    assert {directives["frame-ancestors"], directives["base-uri"]} == {"'none'"}


def test_nothing_is_inline_and_nothing_writes(sample: Site) -> None:
    for path in ("/", "/ledger", "/inquiries/inq_unknown", *(f"/inquiries/{key}" for key in make_plan(60).stories)):
        html = sample.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=\"/static/page.js\")", html)
        assert not re.search(r"method=\"post\"", html, re.IGNORECASE)


@pytest.mark.parametrize("nasty", NASTY)
def test_ids_are_shown_as_text_and_lead_where_they_say(nasty: str) -> None:
    site = site_of([event("created", 1, inquiry_id=nasty, reference_id=nasty, template_id=nasty, source=nasty)])
    found = site.get("/", q=nasty)
    assert found.status_code == 303
    assert found.headers["location"] == f"/inquiries/{quote(nasty, safe='')}"
    for answer in (site.get(found.headers["location"]), site.get("/")):
        assert answer.status_code == 200
        assert nasty in unescape(answer.text)
        assert not any(mark in nasty and nasty in answer.text for mark in "<>'\"&")
        assert f'href="/inquiries/{quote(nasty, safe="")}' in answer.text or 'href="/"' in answer.text


@pytest.mark.parametrize("nasty", NASTY)
def test_what_is_searched_for_is_shown_as_text(nasty: str) -> None:
    answer = site_of([]).get("/", q=nasty)
    assert answer.status_code == 200
    assert "No inquiry has exactly this id" in answer.text
    assert not any(mark in nasty and nasty in answer.text for mark in "<>'\"&")


@pytest.mark.parametrize("text", ["x" * 5000, "\x00", "inq_1\x00"])
def test_what_cannot_be_an_id_is_not_found(text: str) -> None:
    site = site_of([event("created", 1)])
    assert "No inquiry has exactly this id" in site.text("/", q=text)
    assert site.get(f"/inquiries/{quote(text, safe='')}").status_code == 404


def test_a_reference_id_leads_to_its_one_inquiry_or_to_a_list() -> None:
    one = event("created", 1, inquiry_id="inq_1", reference_id="user-7")
    two = event("created", 2, inquiry_id="inq_2", reference_id="user-8")
    three = event("created", 3, inquiry_id="inq_3", reference_id="user-8")
    site = site_of([one, two, three])
    assert site.get("/", q=" user-7 ").headers["location"] == "/inquiries/inq_1"
    several = site.text("/", q="user-8")
    assert "Found: 2" in several
    assert "inq_2" in several
    assert "inq_3" in several
    assert "inq_1" not in several


def listed(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return re.findall(r'<th scope="row"[^>]*><a class="id" href="/inquiries/([^"]+)"', answer.text)


def test_the_list_begins_with_those_that_wait_the_longest() -> None:
    site = site_of(
        [
            event("created", 5, inquiry_id="inq_later"),
            event("created", 1, inquiry_id="inq_longest"),
            event("approved", 2, inquiry_id="inq_done"),
            event("marked-for-review", 3, inquiry_id="inq_review"),
        ]
    )
    assert listed(site.get("/")) == ["inq_longest", "inq_review", "inq_later"]
    assert listed(site.get("/", decision="approved")) == ["inq_done"]
    assert listed(site.get("/", status="created")) == ["inq_longest", "inq_later"]
    assert listed(site.get("/", status="created", decision="needs_review")) == []


def test_stuck_for_shows_only_those_that_wait_that_long() -> None:
    site = site_of(
        [event("created", 0, inquiry_id="inq_a"), event("created", 7200, inquiry_id="inq_b")],
        clock=(moment(0) + timedelta(hours=2, minutes=30)).timestamp,
    )
    assert listed(site.get("/", stuck_for="1h")) == ["inq_a"]
    assert listed(site.get("/", stuck_for="1d")) == []


@pytest.mark.parametrize("name", ["status", "decision", "stuck_for"])
def test_a_filter_that_is_not_offered_is_named_and_not_repeated(name: str) -> None:
    answer = site_of([]).get("/", **{name: "<b>"})
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert f"{name} must be one of" in answer.text
    assert "<b>" not in answer.text


def test_the_counts_are_of_all_inquiries(sample: Site) -> None:
    text = sample.text("/")
    counts = dict(re.findall(r'is-(\w+)"><a [^>]*><b>(\d+)</b>', sample.get("/").text))
    assert sum(map(int, counts.values())) == 60
    assert set(counts) == {"undecided", "needs_review", "approved", "declined"}
    assert "Books balanced" in text


def test_the_decision_says_what_since_when_and_why() -> None:
    text = site_of([event("created", 0), event("started", 60), event("completed", 120), event("approved", 180)]).text(
        "/inquiries/inq_1"
    )
    assert "Decision Approved since 2024-07-08 14:03:00" in text
    assert "Because of the event “Approved”: moved the inquiry from completed to approved." in text
    assert "Decided by evt_approved_180" in text


def items(answer: httpx.Response) -> list[str]:
    """The events of the timeline, in order, as a person reads them."""
    assert answer.status_code == 200
    found = re.findall(r'<li class="was-.*?</li>', answer.text, re.DOTALL)
    return [as_text(item) for item in found]


def test_the_timeline_is_in_the_order_of_happening_and_marks_what_came_late() -> None:
    created, started, completed = event("created", 0), event("started", 60), event("completed", 120)
    first, second, third = items(site_of([created, completed, started]).get("/inquiries/inq_1"))
    assert "Created" in first
    assert "Late" not in first
    assert "Started" in second
    assert "Late" in second
    assert "an event that happened after it was known before it" in second
    assert "Completed" in third
    assert "Late" not in third


def test_an_event_shows_when_it_happened_and_when_it_was_known() -> None:
    (item,) = items(site_of([event("created", 0)]).get("/inquiries/inq_1"))
    assert "Happened 2024-07-08 14:00:00 Known 2027-01-15 08:00:00" in item


def test_a_refused_event_says_why() -> None:
    *_, item = items(
        site_of([event("created", 0), event("approved", 60), event("started", 90)]).get("/inquiries/inq_1")
    )
    assert "Refused: the inquiry was approved already, and only the opposite decision changes that." in item


def test_an_event_tells_how_often_it_was_delivered() -> None:
    created = event("created", 0)
    (item,) = items(site_of([created, created, created]).get("/inquiries/inq_1"))
    assert "Delivered 3 times" in item
    assert "Again 2027-01-15 08:00:01 Again 2027-01-15 08:00:02" in item


def test_a_contradicting_record_is_shown_with_its_event() -> None:
    created = event("created", 0)
    other = created._replace(occurred_at=moment(30))
    (item,) = items(site_of([created, other]).get("/inquiries/inq_1"))
    assert "Contradicted" in item
    assert "Another record of this event says inquiry.created at 2024-07-08 14:00:30" in item


def test_a_redacted_inquiry_shows_no_reference_id() -> None:
    site = site_of([event("approved", 0, reference_id="user-7"), event("redacted", 60)])
    answer = site.get("/inquiries/inq_1")
    assert "user-7" not in answer.text + site.get("/", decision="approved").text
    assert "Redacted on 2024-07-08 14:01:00" in read(answer)


def test_every_story_of_the_simulator_can_be_looked_at(sample: Site) -> None:
    for inquiry_id in make_plan(60).stories:
        assert items(sample.get(f"/inquiries/{inquiry_id}"))


# The decision in two times: the third event came last, and before the second.
STORY = (event("created", 0), event("declined", 180), event("completed", 120))
KNOWN = ("2027-01-15T08:00:00Z", "2027-01-15T08:00:01Z", "2027-01-15T08:00:02Z")


def then(**asked: str) -> str:
    answer = site_of(STORY).get("/inquiries/inq_1", **asked)
    assert answer.status_code == 200
    found = re.search(r'<div id="answer".*?</div>\s*</section>', answer.text, re.DOTALL)
    assert found
    return as_text(found[0])


def test_as_of_asks_what_held_then() -> None:
    assert then(as_of="2024-07-08T14:02").startswith("Undecided at 2024-07-08 14:02:00, by what is known today")
    assert "Status Completed" in then(as_of="2024-07-08T14:02")
    assert then(as_of="2024-07-08T14:03:00.000Z").startswith("Declined")


def test_known_at_asks_what_was_known_then() -> None:
    assert then(known_at=KNOWN[0]).startswith("Undecided at the last event known, by what was known at 2027-01-15")
    assert then(known_at=KNOWN[1]).startswith("Declined")
    assert "2 of 3 count; 1 not received by then" in then(known_at=KNOWN[1])


def test_both_times_can_be_asked_together() -> None:
    both = then(as_of="2024-07-08T14:02:30", known_at=KNOWN[1])
    assert "Status Created" in both
    assert "1 of 3 count; 1 not received by then; 1 happened later" in both


def test_a_day_alone_is_its_begin() -> None:
    assert "at 2024-07-09 00:00:00," in then(as_of="2024-07-09")


def test_before_the_first_record_nothing_was_known_and_before_the_first_event_there_was_no_status() -> None:
    assert then(known_at="2020-01-01T00:00Z").startswith("Nothing was known")
    assert "Status None" in then(as_of="2020-01-01T00:00Z")


@pytest.mark.parametrize("text", ["2024-07-08T16:02:00+02:00", "2024-07-08 14:02", "2024-07-08T14:02:00.0009"])
def test_a_time_may_be_written_as_the_field_does_or_with_a_zone(text: str) -> None:
    assert "at 2024-07-08 14:02:00," in then(as_of=text)


@pytest.mark.parametrize("name", ["as_of", "known_at"])
@pytest.mark.parametrize("text", ["yesterday", "2024-13-01T00:00", "2024-07-32", "24-07-09", "<b>", "9" * 5000])
def test_a_time_that_cannot_be_read_is_told_at_its_field(name: str, text: str) -> None:
    answer = site_of(STORY).get("/inquiries/inq_1", **{name: text})
    assert answer.status_code == 400
    assert f'id="{name}-problem">{name}: write a time' in answer.text
    assert f'aria-describedby="{name}-problem"' in answer.text
    assert "<b>" not in answer.text
    assert len(answer.text) < 20_000
    assert "Declined" in read(answer)


def test_what_will_be_known_cannot_be_asked() -> None:
    future = format_time(NOW + timedelta(days=3651))
    answer = site_of(STORY).get("/inquiries/inq_1", known_at=future)
    assert answer.status_code == 400
    assert "known_at: lies in the future" in answer.text


def test_the_fields_keep_what_was_asked() -> None:
    answer = site_of(STORY).get("/inquiries/inq_1", as_of="2024-07-08T14:02", known_at=KNOWN[1])
    assert re.findall(r'type="text" value="([^"]*)"', answer.text) == ["2024-07-08T14:02", KNOWN[1]]


def test_the_page_says_where_its_changes_begin() -> None:
    found = re.search(r'data-feed="/v1/changes\?cursor=([^"]+)"', site_of(STORY).get("/").text)
    assert found
    assert decode_changes(found[1]).offsets == {0: 3}


class Broken(MemoryQuery):
    """A ledger that cannot be read."""

    error: Exception = LedgerUnavailable("gone")

    async def positions(self) -> Any:
        raise self.error


class OfAnotherRelease(Broken):
    error = SchemaError("the database has version 9")


@pytest.mark.parametrize(("query", "said"), [(Broken, "does not answer"), (OfAnotherRelease, "doctor")])
@pytest.mark.parametrize("path", ["/", "/ledger", "/inquiries/inq_1"])
def test_a_ledger_that_cannot_be_read_is_a_page_that_tries_again(query: type[Broken], said: str, path: str) -> None:
    answer = Site(query(memory_ledger()[0])).get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["content-type"].startswith("text/html")
    assert said in read(answer)
    assert '<meta http-equiv="refresh" content="5">' in answer.text
    assert "version 9" not in answer.text


class TooLarge(MemoryQuery):
    """A ledger that cannot be counted in time."""

    async def counts(self) -> Any:
        raise LedgerUnavailable("statement timeout")


def test_a_ledger_too_large_to_count_still_shows_its_list() -> None:
    ledger, _ = memory_ledger()
    project(Views(ledger, ledger.topic, ledger.view), [event("created", 1)])
    answer = Site(TooLarge(ledger)).get("/")
    assert listed(answer) == ["inq_1"]
    assert "too many inquiries to count" in answer.text


class Counting(MemoryQuery):
    """Knows how often it was counted."""

    times = 0

    async def counts(self) -> Any:
        self.times += 1
        return await super().counts()


def test_a_ledger_that_has_not_moved_is_not_counted_again() -> None:
    ledger, _ = memory_ledger()
    views = Views(ledger, ledger.topic, ledger.view)
    project(views, [event("created", 1)])
    query = Counting(ledger)
    site = Site(query)
    for _ in range(3):
        assert 'data-every="15"' in site.get("/").text
    assert query.times == 1


class OutOfBalance(MemoryQuery):
    """A ledger that lost a record."""

    async def books(self) -> Sequence[dict[str, Any]]:
        return [{**row, "balanced": row["partition"] != 3} for row in await super().books()]


def test_books_out_of_balance_are_told_on_every_page() -> None:
    ledger, _ = memory_ledger(60)
    site = Site(OutOfBalance(ledger))
    for path in ("/", "/ledger", f"/inquiries/{next(iter(make_plan(60).stories))}"):
        assert "Books out of balance: partition 3" in site.text(path)
        assert '<p id="health" class="bad"' in site.get(path).text


def test_the_ledger_shows_each_partition_with_its_books(sample: Site) -> None:
    found = re.search(r'<section id="books".*?</section>', sample.get("/ledger").text, re.DOTALL)
    assert found
    *drawn, _ = [as_text(row).split() for row in re.findall(r"<tr>.*?</tr>", found[0], re.DOTALL)[1:]]
    books = memory_ledger(60)[0].view("books")
    counts = ("applied", "repeated", "refused", "ignored", "duplicate", "quarantined", "gaps")
    assert drawn == [
        [*map(str, (row["partition"], row["next_offset"], "not", "known", *(row[name] for name in counts), "yes"))]
        for row in books
    ]


def test_refused_and_quarantined_records_are_listed_with_their_reason(sample: Site) -> None:
    text = sample.text("/ledger")
    ledger, _ = memory_ledger(60)
    assert f"Refused by the lifecycle: {sum(row['refused'] for row in ledger.view('books'))}" in text
    assert f"In quarantine: {len(ledger.view('quarantine'))}" in text
    for row in ledger.view("quarantine"):
        assert f"{row['reason']}: {row['detail']}" in text


def test_the_quarantine_can_be_narrowed_to_a_reason(sample: Site) -> None:
    rows = re.findall(r'data-label="Why">[^<]*<span class="term">(\w+):', sample.get("/ledger", reason="not_json").text)
    assert set(rows) == {"not_json"}


def test_only_who_has_logged_in_is_offered_to_log_out() -> None:
    assert "Log out" not in site_of([]).text("/")
    guarded = site_of([], access=Access(["a-token"], NOW.timestamp))
    assert "Log out" in guarded.get("/", {"authorization": "Bearer a-token"}).text
    form = guarded.get("/login")
    assert form.status_code == 200
    assert "Log out" not in form.text
    assert "data-feed" not in form.text


def test_a_wrong_token_is_told_and_not_repeated() -> None:
    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(site_of([], access=Access(["a-token"], NOW.timestamp)).app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/login", data={"token": "secret-guess", "next": "/ledger"})

    answer = asyncio.run(post())
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert 'name="next" value="/ledger"' in answer.text
    assert "secret-guess" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY
