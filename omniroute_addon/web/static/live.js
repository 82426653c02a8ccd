// The live table: batches of rendered rows over a websocket, put in place some times a second, bounded. Placing them takes
// a tenth of the page's time at most, so that it can be used while calls pour in.
"use strict";

(() => {
  const table = document.querySelector("table.calls");
  const body = document.getElementById("calls");
  const filters = document.getElementById("filters");
  const pause = document.getElementById("pause");
  const link = document.getElementById("link");
  const empty = document.getElementById("empty");
  const heads = [...table.tHead.rows[0].cells];
  const most = Number(table.dataset.most);
  const older = new URLSearchParams(location.search).has("before");

  let waiting = new Map(); // id → HTML, or null for a row that goes
  const some = 5; // new rows that are pointed out, when none came for a while; more are a stream
  const still = 1500; // milliseconds that are a while
  const calm = 400; // milliseconds from one batch of a stream to the next
  let held = false;
  let timer = 0;
  let next = 0; // not before, in the time of performance.now()
  let latest = 0; // when a new row was placed
  let thaw = 0; // when columns shall be measured again; 0 while their widths are the browser's
  let socket = null;
  let patience = 500;

  const show = (state) => {
    link.dataset.state = state;
    link.textContent = link.dataset[state];
  };

  const parsed = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html; // rendered and escaped by the server
    return template.content.firstElementChild;
  };

  // The browser measures all cells of a table anew for every row that comes, unless columns have a width. They get what they
  // have just had, for a while, when that takes long.
  const freeze = (widths) => {
    heads.forEach((head, column) => (head.style.width = widths ? `${widths[column]}px` : ""));
    table.style.tableLayout = widths ? "fixed" : "";
    thaw = widths ? performance.now() + 5000 : 0;
  };

  const place = () => {
    timer = 0;
    if (held || document.hidden) return;
    const began = performance.now();
    if (thaw && began > thaw) freeze(null);
    const atTop = window.scrollY < 8;
    const before = atTop ? 0 : document.documentElement.scrollHeight;
    const fresh = [];
    for (const [id, html] of waiting) {
      const old = document.getElementById(`c-${id}`);
      if (html === null) {
        if (old) old.remove();
        continue;
      }
      const row = parsed(html);
      if (old) {
        if (old.contains(document.activeElement)) row.dataset.focus = "1";
        old.replaceWith(row);
      } else {
        const at = Number(row.dataset.at);
        let later = body.firstElementChild;
        while (later && Number(later.dataset.at) > at) later = later.nextElementSibling;
        if (!later && body.childElementCount >= most) continue;
        body.insertBefore(row, later);
        fresh.push(row);
      }
      if (row.dataset.focus) row.querySelector("a").focus({ preventScroll: true });
    }
    waiting.clear();
    while (body.childElementCount > most) body.lastElementChild.remove();
    empty.hidden = body.childElementCount > 0;
    if (fresh.length <= some && began > latest + still) for (const row of fresh) row.classList.add("new");
    if (fresh.length) latest = began;
    const after = document.documentElement.scrollHeight; // and the layout is part of what it takes
    if (!atTop) window.scrollBy(0, after - before);
    const ended = performance.now();
    next = ended + Math.min(Math.max(9 * (ended - began), fresh.length > some ? calm : 0), 2000);
    if (!thaw && ended - began > 12) freeze(heads.map((head) => head.getBoundingClientRect().width));
  };

  const soon = () => {
    if (timer || held || document.hidden) return;
    timer = setTimeout(() => requestAnimationFrame(place), Math.max(0, next - performance.now()));
  };

  const receive = (event) => {
    const batch = JSON.parse(event.data);
    for (const id of batch.gone) waiting.set(id, null);
    for (const [id, html] of Object.entries(batch.rows)) {
      waiting.delete(id); // the newest comes last
      waiting.set(id, html);
    }
    for (const id of waiting.keys()) {
      if (waiting.size <= 2 * most) break;
      waiting.delete(id);
    }
    soon();
  };

  const connect = () => {
    const address = new URL(table.dataset.socket, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    for (const [name, value] of new FormData(filters)) if (value) address.searchParams.set(name, value);
    const mine = new WebSocket(address);
    socket = mine;
    mine.onopen = () => {
      patience = 500;
      show(held ? "held" : "open");
    };
    mine.onmessage = receive;
    mine.onclose = () => {
      if (socket !== mine) return;
      show("wait");
      setTimeout(connect, patience);
      patience = Math.min(patience * 2, 10000);
    };
  };

  pause.addEventListener("click", () => {
    held = !held;
    pause.setAttribute("aria-pressed", String(held));
    pause.textContent = held ? pause.dataset.on : pause.dataset.off;
    show(held ? "held" : socket && socket.readyState === WebSocket.OPEN ? "open" : "wait");
    window.say(link.textContent);
    soon();
  });
  document.addEventListener("visibilitychange", soon);
  window.addEventListener("resize", () => freeze(null));

  // A filter is a page of its own: it can be linked to and has its own older calls.
  let typing = 0;
  const filter = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(filters)) if (value && value !== "all") query.set(name, value);
    location.replace(`${location.pathname}${query.size ? `?${query}` : ""}`);
  };
  filters.addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
  });
  filters.addEventListener("change", () => {
    clearTimeout(typing);
    filter();
  });

  body.addEventListener("click", (event) => {
    if (event.target.closest("a") || String(getSelection())) return;
    const row = event.target.closest("tr");
    if (row) row.querySelector("a").click();
  });

  if (older) {
    pause.hidden = link.hidden = true;
  } else {
    connect();
  }
})();
