// The live table: batches of rendered rows over a websocket, put in place once per animation frame, bounded.
"use strict";

(() => {
  const table = document.querySelector("table.calls");
  const body = document.getElementById("calls");
  const filters = document.getElementById("filters");
  const pause = document.getElementById("pause");
  const link = document.getElementById("link");
  const empty = document.getElementById("empty");
  const most = Number(table.dataset.most);
  const older = new URLSearchParams(location.search).has("before");

  let waiting = new Map(); // id → HTML, or null for a row that goes
  let held = false;
  let frame = 0;
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

  const place = () => {
    frame = 0;
    if (held || document.hidden) return;
    const atTop = window.scrollY < 8;
    const before = document.documentElement.scrollHeight;
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
        let next = body.firstElementChild;
        while (next && Number(next.dataset.at) > at) next = next.nextElementSibling;
        if (!next && body.childElementCount >= most) continue;
        row.classList.add("new");
        body.insertBefore(row, next);
      }
      if (row.dataset.focus) row.querySelector("a").focus({ preventScroll: true });
    }
    waiting.clear();
    while (body.childElementCount > most) body.lastElementChild.remove();
    empty.hidden = body.childElementCount > 0;
    if (!atTop) window.scrollBy(0, document.documentElement.scrollHeight - before);
  };

  const soon = () => {
    if (!frame && !held && !document.hidden) frame = requestAnimationFrame(place);
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
