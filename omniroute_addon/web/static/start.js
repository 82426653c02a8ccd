// The first run: a choice changes the proposal below it, a key goes into the vault, the file is written once.
"use strict";

(() => {
  const guide = document.getElementById("guide");
  const all = (name) => [...guide.querySelectorAll(`input[name="${name}"]:checked`)].map((one) => one.value);
  const model = (provider) => guide.querySelector(`select[name="model"][data-provider="${provider}"]`).value;
  const chosen = () => ({
    tools: all("tool"),
    targets: all("target").map((one) => (one === "origin" ? one : `${one}/${model(one)}`)),
  });
  const address = ({ tools, targets }) => {
    const query = new URLSearchParams({ tools: tools.join(), targets: targets.join() });
    return `${guide.dataset.page}?${query}`;
  };
  const failed = (id, words) => {
    const trouble = document.getElementById(id);
    trouble.textContent = words;
    trouble.hidden = !words;
  };

  const write = document.getElementById("write");
  let asked = 0;

  /** Show the file for what is chosen now; the newest choice counts. */
  const propose = async () => {
    const wish = chosen();
    write.disabled = !wish.tools.length || !wish.targets.length;
    if (write.disabled) return;
    const turn = ++asked;
    try {
      const answer = await fetch(address(wish), { headers: { Accept: "text/html" } });
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("text");
      if (turn !== asked) return;
      if (!next) throw new Error(answer.statusText);
      document.getElementById("text").replaceChildren(...next.childNodes);
      history.replaceState(null, "", address(wish));
      failed("write-trouble", "");
    } catch (error) {
      if (turn === asked) failed("write-trouble", error.message);
    }
  };

  if (write) {
    guide.addEventListener("change", (event) => {
      if (["tool", "target", "model"].includes(event.target.name)) propose();
    });
    write.addEventListener("click", async () => {
      write.disabled = true;
      try {
        await window.ask("POST", guide.dataset.write, chosen());
        sessionStorage.setItem("omniroute-start", "try");
        location.assign(guide.dataset.page);
      } catch (error) {
        failed("write-trouble", error.message);
        write.disabled = false;
      }
    });
  }

  const form = document.getElementById("key");
  const provider = form.elements.provider;
  const variable = document.getElementById("variable");
  const lines = document.getElementById("lines");
  const name = () => {
    const { variable: shown, target, chosen: named } = provider.selectedOptions[0].dataset;
    const own = provider.value;
    variable.hidden = !own;
    variable.querySelector("code").textContent = shown ?? "";
    if (!lines) return;
    // A file that is there is its owner's: what it lacks for this key is said, not written.
    lines.hidden = !own || named !== undefined;
    lines.textContent = [
      `# ${lines.dataset.file} does not name it yet:`,
      "accounts:",
      `  - {name: ${own}, provider: ${own}, key: {vault: ${own}}}`,
      "# and among the targets of a combo:",
      `      - ${target}`,
    ].join("\n");
  };
  provider.addEventListener("change", name);
  name();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const key = form.elements.key.value.trim();
      const kept = await window.ask("POST", form.dataset.keep, { provider: provider.value, key });
      form.reset();
      sessionStorage.setItem("omniroute-start", "keys");
      if (!write) return location.reload();
      const wish = chosen();
      if (!wish.targets.some((one) => one.startsWith(`${kept.vault}/`))) wish.targets.push(kept.target);
      location.assign(address(wish));
    } catch (error) {
      failed("key-trouble", error.message);
      button.disabled = false;
    }
  });

  // After the page was loaded anew because of a button: go on where that button was.
  const place = sessionStorage.getItem("omniroute-start");
  if (place) {
    sessionStorage.removeItem("omniroute-start");
    const heading = document.getElementById(place);
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    heading.scrollIntoView({ block: "start" });
    if (place === "keys") window.say(form.dataset.kept);
  }
})();
