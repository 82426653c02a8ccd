// The rules: switches, and the question where a call would go.
"use strict";

(() => {
  const switches = document.getElementById("switches");
  const failed = (id, error) => {
    const trouble = document.getElementById(id);
    trouble.textContent = error.message;
    trouble.hidden = false;
    trouble.scrollIntoView({ block: "nearest" });
  };

  switches.addEventListener("change", async (event) => {
    const box = event.target;
    const all = [...switches.querySelectorAll("input")];
    const enabled = box.checked;
    all.forEach((one) => { one.disabled = true; });
    try {
      const path = JSON.parse(box.dataset.path);
      await window.ask("POST", switches.dataset.switch, { path, enabled, version: switches.dataset.version });
      sessionStorage.setItem("omniroute-switch", box.dataset.path);
      location.reload();
    } catch (error) {
      box.checked = !enabled;
      all.forEach((one) => { one.disabled = false; });
      box.focus();
      failed("switch-trouble", error);
    }
  });
  const turned = sessionStorage.getItem("omniroute-switch");
  if (turned) {
    sessionStorage.removeItem("omniroute-switch");
    const box = [...switches.querySelectorAll("input")].find((one) => one.dataset.path === turned);
    if (box) box.focus({ preventScroll: true });
  }

  const form = document.getElementById("ask");
  const described = document.getElementById("described");
  const choose = () => { described.hidden = Boolean(form.elements.call.value); };
  form.elements.call.addEventListener("change", choose);
  choose();

  const cell = (row, text, className) => {
    const made = row.insertCell();
    const words = document.createElement("bdi");
    words.textContent = text;
    made.append(words);
    if (className) made.className = className;
  };

  const show = (found) => {
    const box = document.getElementById("explained");
    const body = box.querySelector("tbody");
    box.querySelector("h3").textContent = found.headline;
    box.querySelector("ul").replaceChildren(...[...found.steps, ...found.budgets].map((step) => {
      const item = document.createElement("li");
      item.textContent = step;
      return item;
    }));
    body.replaceChildren();
    for (const way of found.ways) {
      const row = body.insertRow();
      cell(row, way.order === null ? body.dataset.out : way.order, way.order === null ? "number warn" : "number");
      cell(row, way.target);
      cell(row, way.account);
      cell(row, [way.address, way.note].filter(Boolean).join(" · "));
      cell(row, way.why);
    }
    box.querySelector(".scroll").hidden = !found.ways.length;
    box.hidden = false;
    window.say(found.headline);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    document.getElementById("ask-trouble").hidden = true;
    const { call, client, model, body, gateway } = form.elements;
    const asked = call.value
      ? { call: call.value }
      : { client: client.value || null, model: model.value || null, body: body.value, gateway: gateway.checked };
    try {
      show(await window.ask("POST", form.dataset.ask, asked));
    } catch (error) {
      document.getElementById("explained").hidden = true;
      failed("ask-trouble", error);
    }
  });
})();
