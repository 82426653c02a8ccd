// The translator: playground, chat, and captured calls against targets.
"use strict";

(() => {
  const EVERY = 400;
  const pause = () => new Promise((done) => { setTimeout(done, EVERY); });
  const trouble = (id, error) => {
    const box = document.getElementById(id);
    box.hidden = !error;
    box.textContent = error ? error.message : "";
  };
  const made = (tag, text, className) => {
    const one = document.createElement(tag);
    if (text !== undefined) one.textContent = text;
    if (className) one.className = className;
    return one;
  };
  const words = (talk) => (talk ? talk.turns.flatMap((turn) => turn.pieces.map((piece) => piece.text)).join("\n") : "");
  const took = (call) => (call && call.ended ? `${(call.ended - call.started).toFixed(1)} s` : "");
  const money = (call) => (call && call.cost !== null ? `${call.estimated ? "~" : ""}$${call.cost.toFixed(4)}` : "");
  const tokens = (call) => (call && call.output !== null ? `${call.input ?? 0}+${call.output} tok` : "");

  // ── playground ──
  const play = document.getElementById("play");
  const after = document.getElementById("after");
  const fetched = async () => {
    const { call, kind, source, text } = play.elements;
    if (!call.value) return;
    const side = kind.value === "request" ? "request" : "answer";
    try {
      const found = await window.ask("GET", `${play.dataset.calls}${call.value}?side=${side}`);
      text.value = found.text;
      source.value = found.format;
      kind.value = found.kind;
      trouble("play-trouble");
    } catch (error) {
      trouble("play-trouble", error);
    }
  };
  play.elements.call.addEventListener("change", fetched);
  play.elements.kind.addEventListener("change", fetched);
  play.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { kind, source, target, text } = play.elements;
    const lost = document.getElementById("lost");
    try {
      const found = await window.ask("POST", play.dataset.ask, {
        kind: kind.value, source: source.value, target: target.value, text: text.value,
      });
      trouble("play-trouble", found.failure ? new Error(found.failure) : undefined);
      after.value = found.path ? `POST ${found.path}\n\n${found.text}` : found.text;
      lost.querySelector("ul").replaceChildren(...found.losses.map((loss) => {
        const item = made("li");
        item.append(made("code", loss.path), ` ${loss.reason}`);
        return item;
      }));
      if (!found.losses.length) lost.querySelector("ul").append(made("li", lost.dataset.none, "good"));
      lost.hidden = false;
      window.say(lost.textContent);
    } catch (error) {
      after.value = "";
      lost.hidden = true;
      trouble("play-trouble", error);
    }
  });

  // ── chat ──
  const chat = document.getElementById("chat");
  const answers = document.getElementById("answers");
  const stop = document.getElementById("stop");
  let chatting = null;
  const turn = (role, text, className) => {
    const box = made("div", undefined, `turn ${className}`);
    const said = made("pre", text);
    said.dir = "auto";
    const head = made("h3");
    head.append(made("bdi", role));
    box.append(head, said);
    answers.append(box);
    return box;
  };
  chat.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { form, model, text } = chat.elements;
    const button = chat.querySelector("button");
    button.disabled = true;
    trouble("chat-trouble");
    try {
      const started = await window.ask("POST", chat.dataset.ask, { form: form.value, model: model.value, text: text.value });
      turn(`${answers.dataset.you} · ${form.value}`, text.value, "user");
      text.value = "";
      chatting = started.replay;
      stop.hidden = false;
      let shown;
      do {
        await pause();
        shown = await window.ask("GET", chat.dataset.replays + started.replay);
      } while (shown.running);
      for (const run of shown.runs) {
        const said = words(run.talk) || `${answers.dataset.none} ${run.call ? run.call.outcome : ""}`;
        const head = [run.call && run.call.target, tokens(run.call), took(run.call), money(run.call)].filter(Boolean).join(" · ");
        const box = turn(head || run.state, said, "assistant");
        if (run.call) {
          const link = made("a", answers.dataset.details);
          link.href = chat.dataset.call + run.call.id;
          box.append(link);
        }
        window.say(said);
      }
    } catch (error) {
      trouble("chat-trouble", error);
    }
    chatting = null;
    stop.hidden = true;
    button.disabled = false;
  });
  stop.addEventListener("click", () => {
    if (chatting) window.ask("DELETE", chat.dataset.replays + chatting).catch((error) => trouble("chat-trouble", error));
  });

  // ── bench ──
  const bench = document.getElementById("bench");
  if (!bench) return;
  const matrix = document.getElementById("matrix");
  const progress = document.getElementById("bench-progress");
  const end = document.getElementById("end");
  let rows = [];
  const draw = (shown) => {
    const table = made("table");
    const head = table.createTHead().insertRow();
    const scoped = (text, row) => {
      const cell = made("th");
      cell.append(made("bdi", text));
      cell.scope = row ? "row" : "col";
      return cell;
    };
    head.append(scoped(matrix.dataset.call), ...shown[0].runs.map((run) => scoped(run.target || matrix.dataset.rules)));
    const body = table.createTBody();
    shown.forEach((replay) => {
      const row = body.insertRow();
      row.append(scoped(replay.call ? `${replay.call.client} · ${replay.call.model}` : replay.id.slice(0, 8), true));
      for (const run of replay.runs) {
        const cell = row.insertCell();
        const link = made("a", matrix.dataset[run.state], `mark ${run.state}`);
        link.href = bench.dataset.shown + replay.id;
        cell.append(link);
        const changed = run.changes && run.changes.some((change) => change.kind !== "same");
        const facts = [run.call && run.call.target, tokens(run.call), took(run.call), money(run.call)];
        if (run.changes) facts.push(changed ? matrix.dataset.changed : matrix.dataset.same);
        const about = made("div", undefined, "dim");
        about.append(made("bdi", facts.filter(Boolean).join(" · ")));
        cell.append(about);
      }
    });
    matrix.replaceChildren(table);
    matrix.hidden = false;
  };
  bench.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData(bench);
    const button = bench.querySelector("button");
    button.disabled = true;
    trouble("bench-trouble");
    try {
      const asked = { calls: data.getAll("call"), targets: data.getAll("target"), rules: data.has("rules") };
      rows = (await window.ask("POST", bench.dataset.ask, asked)).rows;
      end.hidden = progress.hidden = false;
      let shown;
      do {
        shown = await Promise.all(rows.map((row) => window.ask("GET", bench.dataset.replays + row.replay)));
        draw(shown);
        progress.max = shown.reduce((sum, one) => sum + one.runs.length, 0);
        progress.value = shown.reduce((sum, one) => sum + one.ended, 0);
        await pause();
      } while (shown.some((one) => one.running));
      window.say(matrix.textContent);
    } catch (error) {
      trouble("bench-trouble", error);
    }
    end.hidden = true;
    button.disabled = false;
  });
  end.addEventListener("click", () => {
    for (const row of rows) window.ask("DELETE", bench.dataset.replays + row.replay).catch((error) => trouble("bench-trouble", error));
  });
})();
