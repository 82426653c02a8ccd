// A call's page: the bodies as a conversation or raw, and the form that asks again.
"use strict";

(() => {
  const buttons = [...document.querySelectorAll(".switch [data-view]")];
  const show = (view) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    for (const one of document.querySelectorAll(".talk")) one.hidden = view !== "talk";
    for (const one of document.querySelectorAll(".raw:not([data-only])")) one.hidden = view !== "raw";
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.view));

  const form = document.getElementById("again");
  if (!form) return;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const targets = [...data.getAll("target"), ...data.get("others").split(/[\s,]+/).filter(Boolean)];
    const trouble = document.getElementById("trouble");
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const replay = await window.ask("POST", form.dataset.start, { rules: data.has("rules"), targets });
      location.href = form.dataset.shown + replay.id;
    } catch (error) {
      trouble.textContent = error.message;
      trouble.hidden = false;
      button.disabled = false;
    }
  });
})();
