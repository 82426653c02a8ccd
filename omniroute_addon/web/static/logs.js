// The logs: filters at once, and a look at what is new every second while somebody follows.
"use strict";

(() => {
  const EVERY = 1000;
  const filters = document.getElementById("filters");
  const follow = document.getElementById("follow");
  let asked = 0;

  const address = () => `${location.pathname}?${new URLSearchParams(new FormData(filters))}`;
  const look = async () => {
    const mine = ++asked;
    const response = await fetch(address(), { headers: { Accept: "text/html" } });
    if (!response.ok || mine !== asked) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("log");
    const old = document.getElementById("log");
    if (!fresh || mine !== asked || fresh.innerHTML === old.innerHTML) return;
    if (old.contains(document.activeElement) && document.activeElement.tagName === "A") return; // somebody is in there
    const scroll = old.querySelector(".scroll");
    const left = scroll ? scroll.scrollLeft : 0;
    old.replaceWith(fresh);
    if (fresh.querySelector(".scroll")) fresh.querySelector(".scroll").scrollLeft = left;
  };
  const again = async () => {
    const pressed = follow.getAttribute("aria-pressed") === "true";
    if (pressed && !document.hidden && String(getSelection()) === "") await look().catch(() => undefined);
    setTimeout(again, EVERY);
  };

  follow.addEventListener("click", () => {
    follow.setAttribute("aria-pressed", String(follow.getAttribute("aria-pressed") !== "true"));
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", () => {
    history.replaceState(null, "", address());
    for (const tab of document.querySelectorAll(".tabs a")) {
      const target = new URL(tab.href);
      const query = new URLSearchParams(new FormData(filters));
      query.set("tab", target.searchParams.get("tab"));
      tab.href = `${target.pathname}?${query}`;
    }
    look().catch(() => undefined);
  });
  setTimeout(again, EVERY);
})();
