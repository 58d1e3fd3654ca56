// Keeps the page as the ledger is. Without it the page works all the same: by loading it again.
//
// `data-feed` is where the changes come from that the page may not show yet, so none falls in between. What a change
// says is not shown: the page is fetched again, and the parts marked `data-live` are put in their places.
"use strict";

(() => {
  const body = document.body;
  if (!body.dataset.feed) return;

  const PAUSE_MS = 1000; // between two looks, however many changes come
  const AGAIN_MS = 5000; // after a feed that was refused
  const inquiry = body.dataset.inquiry;

  let source = null;
  let timer = null;
  let isLooking = false;
  let isDue = false;
  let isCutOff = false;

  // Shows the page as it is now: once, however many ask meanwhile.
  async function look() {
    isDue = true;
    if (isLooking) return;
    isLooking = true;
    try {
      while (isDue && !document.hidden) {
        isDue = false;
        await show();
        await new Promise((go) => setTimeout(go, PAUSE_MS));
      }
    } finally {
      isLooking = false;
      wait();
    }
  }

  // A refused event makes no revision, and spans of time grow: so it looks without a change too.
  function wait() {
    clearTimeout(timer);
    timer = setTimeout(look, Number(body.dataset.every) * 1000);
  }

  async function show() {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.redirected && new URL(answer.url).pathname === "/login") return location.reload();
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (fresh.body.dataset.feed) return put(fresh);
    } catch (problem) {
      if (!(problem instanceof TypeError)) throw problem; // what fetch says where nothing answers
    }
    say("The ledger does not answer. This is what was known last.");
  }

  function put(fresh) {
    say("");
    isCutOff = false;
    body.dataset.feed = fresh.body.dataset.feed;
    body.dataset.every = fresh.body.dataset.every;
    document.title = fresh.title;
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (now && now.innerHTML !== old.innerHTML) replace(old, now);
    }
  }

  // Puts `now` in the place of `old`; focus stays where it was, and what is new stands out for a moment.
  function replace(old, now) {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const known = new Set([...old.querySelectorAll("tbody tr, li")].map(words));
    if (inquiry && now.id === "decision" && words(now) !== words(old)) say("This has changed just now.");
    old.replaceWith(now);
    for (const row of now.querySelectorAll("tbody tr, li")) row.classList.toggle("fresh", !known.has(words(row)));
    if (focused) find(now, focused)?.focus({ preventScroll: true });
  }

  function find(part, focused) {
    if (part.id === focused.id) return part;
    const alike = [...part.querySelectorAll(focused.tagName)];
    return alike.find((other) => other.href === focused.href) ?? alike[0];
  }

  // Without spans of time, which grow by themselves.
  function words(part) {
    return part.textContent.replace(/\d+ (d|h|min|s|ms)\b/g, "").replace(/\s+/g, " ");
  }

  function say(text) {
    const heard = document.getElementById("heard");
    if (heard.textContent !== text) heard.textContent = text;
  }

  function follow() {
    source = new EventSource(body.dataset.feed);
    source.addEventListener("revision", (message) => {
      if (!inquiry || JSON.parse(message.data).inquiry_id === inquiry) look();
    });
    source.addEventListener("open", () => isCutOff && look());
    source.addEventListener("error", () => {
      isCutOff = true;
      if (source.readyState === EventSource.CLOSED) setTimeout(resume, AGAIN_MS);
    });
  }

  // From where the page now stands. A tab that nobody sees follows nothing: browsers allow six connections to a host.
  async function resume() {
    source?.close();
    if (document.hidden) return;
    await look();
    if (!document.hidden && (source?.readyState ?? EventSource.CLOSED) === EventSource.CLOSED) follow();
  }

  if (!document.hidden) follow();
  document.addEventListener("visibilitychange", resume);
  wait();
})();
