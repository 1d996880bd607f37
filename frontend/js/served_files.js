/* Files that the server shows: their addresses, links that save or open them, and reports asked for. */
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

  /** A link that opens something of the server's in a tab of its own. @param {State} state @param {string} path @param {string} text @param {string} [kind] its class */
  function opens(state, path, text, kind = "") {
    return make("a", { class: kind, text, attributes: { href: address(state, path), target: "_blank", rel: "noopener" } });
  }

  /** Have the report of a run written, in every format and in the page's language. @param {Connection} connection @param {string} run_id @param {{ evaluation?: string }} [of] */
  function askReport(connection, run_id, of = {}) {
    connection.request("create_report", { run_id, ...of, language: BreastAI.i18n.current(), pdf: true, docx: true }).catch(() => {});
  }

  BreastAI.servedFiles = { page, address, link, opens, askReport };
})();
