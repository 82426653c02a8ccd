// Pages that are watched: they ask themselves anew, count down, and have buttons that act after a question.
"use strict";

(() => {
  const shown = document.getElementById("shown");
  const state = document.getElementById("fresh");
  const every = Number(shown.dataset.every) * 1000;
  const skew = Date.now() - Number(shown.dataset.now) * 1000; // the server's clock decides
  let timer = 0;
  let busy = false;

  const words = (seconds) => {
    const left = Math.max(0, Math.ceil(seconds));
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const first = units.findIndex(([, size]) => left >= size);
    if (first < 0) return "0\u202fs";
    return units
      .slice(first, first + 2)
      .map(([unit, size], place) => [Math.floor((place ? left % units[first][1] : left) / size), unit])
      .filter(([number, unit], place) => number || !place || unit === "s")
      .map(([number, unit]) => `${number}\u202f${unit}`)
      .join(" ");
  };

  const count = () => {
    const now = (Date.now() - skew) / 1000;
    for (const one of shown.querySelectorAll("[data-until]")) {
      const text = words(Number(one.dataset.until) - now);
      if (one.textContent !== text) one.textContent = text;
    }
  };

  const say = (name) => {
    state.dataset.state = name === "fresh" ? "open" : "wait";
    state.textContent = state.dataset[name];
  };

  /** Put what has changed in place, part by part, so that focus, selection and what is folded open stay. */
  const put = (html) => {
    const next = new DOMParser().parseFromString(html, "text/html").getElementById("shown");
    if (!next) return false;
    const wanted = new Map([...next.children].map((part) => [part.id, part]));
    const same = [...shown.children].map((part) => part.id).join() === [...wanted.keys()].join();
    const active = document.activeElement && document.activeElement.id;
    if (!same) {
      shown.replaceChildren(...next.children);
    } else {
      for (const part of [...shown.children]) {
        const fresh = wanted.get(part.id);
        if (part.dataset.as !== fresh.innerHTML) {
          const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
          part.replaceChildren(...fresh.cloneNode(true).childNodes);
          part.className = fresh.className;
          part.dataset.as = fresh.innerHTML;
          for (const id of open) if (id) document.getElementById(id)?.setAttribute("open", "");
        }
      }
    }
    if (active && document.activeElement.id !== active) document.getElementById(active)?.focus({ preventScroll: true });
    return true;
  };

  const refresh = async () => {
    clearTimeout(timer);
    if (!document.hidden && !busy) {
      busy = true;
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        say(answer.ok && put(await answer.text()) ? "fresh" : "lost");
        count();
      } catch {
        say("lost");
      }
      busy = false;
    }
    timer = setTimeout(refresh, every);
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });

  const done = document.getElementById("done");
  const tell = (text, good) => {
    done.hidden = false;
    done.className = good ? "note" : "note wrong";
    done.textContent = text;
    window.say(text);
  };

  /** What stands in a sentence from right to left runs its own way. */
  const apart = (text) => (document.documentElement.dir === "rtl" ? `\u2068${text}\u2069` : text);
  const filled = (text, answer) =>
    text.replace(/\{(\w+)\}/g, (_, name) => {
      const value = answer[name];
      return apart(Array.isArray(value) ? value.join(", ") || "–" : value === null || value === undefined ? "–" : String(value));
    });

  shown.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-path]");
    if (!button || button.disabled || !confirm(button.dataset.confirm)) return;
    button.disabled = true;
    try {
      const answer = await window.ask("POST", button.dataset.path, JSON.parse(button.dataset.body));
      const good = answer.ok !== false;
      if (answer.cost !== undefined && answer.cost !== null) answer.cost = `$${answer.cost.toFixed(6).replace(/0{1,4}$/, "")}`;
      if (answer.took) answer.took = `${answer.took.toFixed(1)}\u202fs`;
      tell(filled(good ? button.dataset.done : button.dataset.failed, answer), good);
    } catch (error) {
      tell(error.message, false);
    }
    button.disabled = false;
    refresh();
  });

  for (const part of shown.children) part.dataset.as = part.innerHTML;
  say("fresh");
  count();
  setInterval(count, 1000);
  timer = setTimeout(refresh, every);
})();
