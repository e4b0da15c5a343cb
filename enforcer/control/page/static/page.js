/* What htmx does not do by itself on this page: four small things. Without a script the page is whole: forms post,
 * links lead, and the overview reloads itself.
 *
 *   kept     a way to swap: what has not changed stays the very same element, so that nobody loses the focus, what
 *            they are typing, what they have marked, an open list or their place in it
 *   events   the server's stream names parts that are out of date; those whose hx-trigger says sse:<part> are told
 *   state    whether this page is up to date, whether the session still counts, and what is worth saying aloud
 *   ask      what the server asks before it does something is put in a dialogue
 */
"use strict";

(() => {
  const by = (id) => document.getElementById(id);

  /* kept */
  const named = (node) => node.hasAttribute("aria-labelledby") && `${node.nodeName} ${node.getAttribute("aria-labelledby")}`;
  const key = (node) => (node.nodeType === 1 && (node.id || named(node))) || "";
  const look = (node) => [...node.classList].find((one) => !one.startsWith("htmx-")) || "";  // htmx marks what waits
  const alike = (one, other) => one.nodeName === other.nodeName && key(one) === key(other) &&
    (one.nodeType !== 1 || look(one) === look(other));

  function keep(old, made) {
    if (old.nodeType !== 1) {
      if (old.data !== made.data) old.data = made.data;
      return [];
    }
    for (const { name } of [...old.attributes])
      if (!made.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of made.attributes)
      if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
    return old.hasAttribute("hx-get") ? [] : keepAll(old, made);       // those are fetched by themselves
  }

  function keepAll(old, made) {
    const there = new Map([...old.children].filter(key).map((one) => [key(one), one]));
    const wanted = new Set([...made.children].map(key));
    const fresh = [];
    let at = old.firstChild;
    const past = () => { while (at && key(at) && !wanted.has(key(at))) at = gone(at); };
    for (const next of [...made.childNodes]) {
      past();
      const known = there.get(key(next));
      while (known && at && at !== known && !wanted.has(key(at) || " ")) at = gone(at);   // so it need not move
      const same = known || (at && alike(at, next) ? at : null);
      if (!same) {
        old.insertBefore(next, at);
        fresh.push(next);
      } else {
        if (same === at) at = at.nextSibling; else moved(old, same, at);
        fresh.push(...keep(same, next));
      }
    }
    while (at) at = gone(at);
    return fresh;
  }

  function moved(parent, node, before) {        // what moves loses the focus
    const active = document.activeElement;
    parent.insertBefore(node, before);
    if (node.contains(active)) active.focus({ preventScroll: true });
  }

  function gone(node) {
    const next = node.nextSibling;
    if (!node.contains(document.activeElement)) node.remove();          // not out of anybody's hands
    return next;
  }

  htmx.defineExtension("kept", {
    handleSwap(style, target, made) {
      if (style !== "kept") return false;
      const fresh = keepAll(target, made);
      tell(target.querySelector("[data-news]"));
      return fresh;
    },
  });

  /* state */
  const link = by("link-state"), over = by("over"), news = by("news");
  let last = (document.querySelector("[data-news]") || { dataset: {} }).dataset.news;

  function tell(told) {
    if (!told || told.dataset.news === last) return;
    last = told.dataset.news;
    news.textContent = told.textContent;
  }

  function stale(is) {
    if (link.hidden !== is) return;
    link.hidden = !is;
    link.textContent = is ? link.dataset.words : "";
    document.body.classList.toggle("stale", is);
  }

  const failed = (event) => {
    if (event.target.matches("[hx-trigger*='sse:']")) stale(event.detail.xhr.status !== 401);
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.hasAttribute("hx-get")) event.preventDefault();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, successful } = event.detail;
    if (successful) { stale(false); over.hidden = true; }
    if (xhr.status === 401) {
      stale(false);
      over.querySelector("a").href = "/login?back=" + encodeURIComponent(location.pathname + location.search);
      over.hidden = false;
    }
  });
  for (const kind of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(kind, failed);

  /* events */
  const parts = (name) => document.querySelectorAll(`[hx-trigger*="sse:${name}"]`);
  const fetchAnew = (name) => parts(name).forEach((one) => htmx.trigger(one, one.getAttribute("hx-trigger").split(",")[0]));

  function listen(url, first) {
    const source = new EventSource(url);
    let lost = !first;
    source.onopen = () => { if (lost) fetchAnew(""); lost = false; };
    source.onmessage = (event) => event.data.split(" ").forEach(fetchAnew);
    source.onerror = () => {
      lost = true;
      fetchAnew("");                        // what comes of that says what is wrong
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000, url, false);
    };
  }

  if (document.body.dataset.events) listen(document.body.dataset.events, true);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) fetchAnew(""); });

  /* ask */
  const ask = by("ask");
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target === ask && event.detail.xhr.status !== 401) event.detail.shouldSwap = true;
  });
  /* Not at afterSwap: settling gives the focus to the heading once more, under the fingers of whoever has tabbed on. */
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target === ask && !ask.open) ask.showModal();
  });
  document.addEventListener("click", (event) => {
    if (!ask || !ask.open || !event.target.closest("[data-close]")) return;
    event.preventDefault();
    ask.close();
  });
})();
