// The page in a frame. A ticket behind the # of the address is posted at once and
// wiped from the address; the frame then has an address of its own, which a browser
// that keeps its cookie can load again. Written for browsers as old as Chromium 80.
"use strict";
(function () {
  var ticket = /^#ticket=([0-9A-Za-z_.-]+)$/.exec(location.hash);
  var open = document.getElementById("open");
  var here = document.getElementById("here");
  if (ticket && !open) {
    location.replace(location.pathname.split("/").slice(0, 3).join("/") + location.hash);
    return;
  }
  if (ticket) {
    var wait = document.querySelector(".wait");
    wait.textContent = wait.getAttribute("data-wait");
    open.elements.ticket.value = ticket[1];
    history.replaceState(null, "", location.pathname);
    open.submit();
  } else if (here) {
    history.replaceState(null, "", here.getAttribute("data-here"));
  }
})();
