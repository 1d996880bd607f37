/* Files that the server shows: their addresses, and links that save them. */
(function () {
  "use strict";

  const { make } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /** Where the server the page talks to shows something; the page itself may be a file. @param {State} state @param {string} path */
  function address({ connection: { url }, welcome }, path) {
    const origin = url.replace(/^ws/, "http").replace(/\/+$/, "");
    return welcome?.token_required ? BreastAI.token.addedTo(`${origin}${path}`) : `${origin}${path}`;
  }

  /** A link that saves a file of the workspace. @param {State} state @param {string} path relative to the workspace */
  function link(state, path) {
    const href = address(state, `/files/${path.split("/").map(encodeURIComponent).join("/")}`);
    return make("a", { class: "button small", text: t("checkpoints.download"), attributes: { href, download: true, "aria-label": `${t("checkpoints.download")} ${path}` } });
  }

  BreastAI.servedFiles = { address, link };
})();
