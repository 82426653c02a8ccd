// In mitmweb's own page: a link to ours, to the call whose flow is selected.
"use strict";

(() => {
  const link = document.createElement("a");
  link.id = "omniroute";
  const follow = () => {
    const flow = location.hash.match(/^#\/flows\/([0-9a-f-]{36})/);
    link.href = flow ? `/omniroute/flows/${flow[1]}` : "/omniroute/";
    link.textContent = flow ? "OmniRoute: this call" : "OmniRoute";
  };
  follow();
  setInterval(follow, 300); // mitmweb changes the address without an event
  link.addEventListener("click", follow);
  document.body.append(link);
})();
