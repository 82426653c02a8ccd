// A call's page: the bodies as a conversation or raw.
"use strict";

(() => {
  const buttons = [...document.querySelectorAll(".switch [data-view]")];
  const show = (view) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    for (const one of document.querySelectorAll(".talk")) one.hidden = view !== "talk";
    for (const one of document.querySelectorAll(".raw:not([data-only])")) one.hidden = view !== "raw";
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.view));
})();
