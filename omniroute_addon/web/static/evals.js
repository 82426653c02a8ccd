// Evals: start, watch, cancel.
"use strict";

(() => {
  const EVERY = 500;
  const form = document.getElementById("start");
  const trouble = document.getElementById("trouble");
  const state = () => document.getElementById("state");
  let watching = false;

  const look = async () => {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("state");
    if (!fresh || fresh.innerHTML === state().innerHTML) return;
    const focused = document.activeElement && document.activeElement.id;
    state().replaceWith(fresh);
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
    const newest = document.querySelector("#exams li");
    if (newest && !fresh.dataset.running) window.say(newest.textContent);
  };
  const watch = async () => {
    if (!document.hidden) await look().catch(() => undefined);
    watching = Boolean(state().dataset.running);
    if (watching) setTimeout(watch, EVERY);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const targets = [...data.getAll("target"), ...data.get("others").split(/[\s,]+/).filter(Boolean)];
    const button = form.querySelector("button");
    button.disabled = true;
    trouble.hidden = true;
    try {
      await window.ask("POST", form.dataset.ask, { suite: data.get("suite"), targets });
      await look();
      if (!watching) watch();
    } catch (error) {
      trouble.textContent = error.message;
      trouble.hidden = false;
    }
    button.disabled = false;
  });
  document.addEventListener("click", async (event) => {
    const address = event.target.dataset && event.target.dataset.cancel;
    if (!address) return;
    event.target.disabled = true;
    await window.ask("DELETE", address).catch(() => undefined);
    await look();
  });
  watch();
})();
