// What pages do beyond HTML: copy buttons, live lists that stay short, links that end with a form.
// Pages work without it; it holds no page's data.
(() => {
  "use strict";
  const said = (button, word) => {
    const before = button.dataset.word || button.firstChild.textContent;
    button.dataset.word = before;
    button.firstChild.textContent = word;
    setTimeout(() => { button.firstChild.textContent = before; }, 1600);
  };
  const copy = async (button) => {
    const from = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(from.textContent.trim());
      said(button, "Copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(from);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      said(button, "Selected");
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copies]");
    if (button) copy(button);
  });
  const shorten = (list) => {
    const most = Number(list.dataset.most);
    while (list.children.length > most) list.lastElementChild.remove();
  };
  document.addEventListener("htmx:sseMessage", (event) => {
    const list = event.target.closest("[data-most]");
    if (list) shorten(list);
  });
  const live = (event, word) => {
    const shown = document.querySelector("[data-live]");
    if (shown) { shown.textContent = word; shown.dataset.live = event; }
  };
  document.addEventListener("htmx:sseOpen", () => live("open", "live"));
  document.addEventListener("htmx:sseError", () => live("wait", "reconnecting"));
  document.addEventListener("htmx:sseClose", () => live("shut", "ended; load the page again"));
  document.documentElement.classList.add("scripted");
})();
