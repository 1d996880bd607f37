/* Files that the server shows: their addresses, and links that save them. */
(function () {
  "use strict";

  const { make } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /** Where the server of a WebSocket shows its page, with a slash at its end. @param {string} url */
  function page(url) {
    return `${url.replace(/^ws/, "http").replace(/\/+$/, "")}/`;
  }

  /** Where the server the page talks to shows something; the page itself may be a file. @param {State} state @param {string} path */
  function address({ connection: { url }, welcome }, path) {
    const found = `${page(url)}${path.replace(/^\//, "")}`;
    return welcome?.token_required ? BreastAI.token.addedTo(found) : found;
  }

  /** A link that saves a file of the workspace. @param {State} state @param {string} path relative to the workspace */
  function link(state, path) {
    const href = address(state, `/files/${path.split("/").map(encodeURIComponent).join("/")}`);
    return make("a", { class: "button small", text: t("checkpoints.download"), attributes: { href, download: true, "aria-label": `${t("checkpoints.download")} ${path}` } });
  }

  BreastAI.servedFiles = { page, address, link };
})();
