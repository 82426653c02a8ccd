// A replay's page: looks again while something runs, and cancels.
"use strict";

(() => {
  const EVERY = 400;

  const look = async () => {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("runs");
    const old = document.getElementById("runs");
    if (!fresh || fresh.innerHTML === old.innerHTML) return;
    const focused = document.activeElement && document.activeElement.id;
    old.replaceWith(fresh);
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
    window.say(document.getElementById("progress").textContent);
  };

  const follow = async () => {
    if (!document.hidden) await look().catch(() => undefined);
    if (document.getElementById("runs").dataset.running) setTimeout(follow, EVERY);
  };

  document.addEventListener("click", async (event) => {
    if (event.target.id !== "cancel") return;
    event.target.disabled = true;
    await window.ask("DELETE", document.getElementById("runs").dataset.cancel);
    await look();
  });

  follow();
})();
