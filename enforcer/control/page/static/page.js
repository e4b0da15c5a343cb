/* What the page does besides being read: parts of it are fetched anew as things happen.
 *
 * The attributes are htmx's (hx-get, hx-trigger, sse-connect), of which this is the small part that we need:
 *
 *   <body sse-connect="/v1/events">                     the stream of what happens
 *   <section hx-get="/page/live" hx-trigger="sse:decision, every 2s">   fetched anew then, and swapped in
 *
 * Without this file the page is whole: forms post, links lead, and it reloads itself.
 */
"use strict";

(() => {
  const LEAST = 800;                       // ms between two fetches of one part
  const parts = [...document.querySelectorAll("[hx-get]")].map((element) => ({
    element,
    url: element.getAttribute("hx-get"),
    kinds: (element.getAttribute("hx-trigger") || "").split(",").map((word) => word.trim()),
    last: 0, waiting: 0, busy: false, text: null,
  }));
  const state = document.getElementById("link-state");
  const news = document.getElementById("news");

  function stale(words) {
    if (state && state.textContent !== words) {
      state.textContent = words;
      state.hidden = !words;
      document.body.classList.toggle("stale", Boolean(words));
    }
  }

  /* Where the focus and open details were, so that a swap takes nothing out of anybody's hands. */
  function remembered(element) {
    const active = document.activeElement;
    const key = element.contains(active) ? active.getAttribute("data-key") || active.getAttribute("href") || active.id : null;
    const open = [...element.querySelectorAll("details[id]")].map((one) => [one.id, one.open]);
    return () => {
      for (const [id, was] of open) {
        const there = document.getElementById(id);
        if (there) there.open = was;
      }
      if (key === null) return;
      const same = [...element.querySelectorAll("a, button, summary, [tabindex]")].find((one) =>
        [one.getAttribute("data-key"), one.getAttribute("href"), one.id].includes(key));
      if (same) same.focus({ preventScroll: true });
    };
  }

  function selecting(element) {
    const chosen = document.getSelection();
    return chosen && !chosen.isCollapsed && element.contains(chosen.anchorNode);
  }

  async function fetched(part) {
    if (part.busy || document.hidden || selecting(part.element)) return;
    part.busy = true;
    part.last = performance.now();
    try {
      const answer = await fetch(part.url, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(10000) });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error(answer.status);
      const text = await answer.text();
      stale("");
      if (text === part.text) return;
      part.text = text;
      const back = remembered(part.element);
      const made = new DOMParser().parseFromString(text, "text/html");
      part.element.replaceChildren(...made.body.childNodes);
      back();
      const told = part.element.querySelector("[data-news]");
      if (told && news && news.dataset.last !== told.dataset.news) {
        if (news.dataset.last !== undefined) news.textContent = told.textContent;
        news.dataset.last = told.dataset.news;
      }
    } catch {
      stale("This page is not up to date: the enforcer cannot be reached. It tries again.");
    } finally {
      part.busy = false;
    }
  }

  function soon(part) {
    if (part.waiting) return;
    const wait = Math.max(0, LEAST - (performance.now() - part.last));
    part.waiting = setTimeout(() => { part.waiting = 0; fetched(part); }, wait);
  }

  for (const part of parts) {
    const every = part.kinds.map((kind) => /^every (\d+)s$/.exec(kind)).find(Boolean);
    if (every) setInterval(() => soon(part), Number(every[1]) * 1000);
    if (part.kinds.includes("load")) soon(part);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) parts.forEach(soon); });

  const connect = document.body.getAttribute("sse-connect");
  const told = new Set(parts.flatMap((part) => part.kinds).filter((kind) => kind.startsWith("sse:")));
  if (connect && told.size && "EventSource" in window) {
    const source = new EventSource(connect);
    for (const kind of told) {
      source.addEventListener(kind.slice(4), () => parts.filter((part) => part.kinds.includes(kind)).forEach(soon));
    }
  }

  /* A form is sent once, however often its button is pressed. */
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => { delete form.dataset.sent; }));
})();
