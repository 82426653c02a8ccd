// What every page has: preferences without a button, keyboard help for scrolled tables, words for screen readers.
"use strict";

document.documentElement.classList.add("scripted");

for (const form of document.querySelectorAll("[data-submit-on-change]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

/** Tell a screen reader. */
window.say = (words) => {
  const region = document.getElementById("said");
  if (region) region.textContent = words;
};

/** The cookie that proves to the server that a request is this page's own. */
window.xsrf = () => decodeURIComponent((document.cookie.match(/(?:^|; )_mitmproxy_xsrf=([^;]*)/) || [])[1] || "");

/** Ask the JSON API. Throws an Error with the server's words. */
window.ask = async (method, path, body) => {
  const headers = { "X-XSRFToken": window.xsrf() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
};
