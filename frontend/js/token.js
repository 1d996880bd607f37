/* The installation's token: from session.js beside a page opened as a file, from the address of a served one, or typed. */
(function () {
  "use strict";

  const KEPT = "breastai.token";
  const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
  const asFile = location.protocol === "file:";
  /** Tokens typed with an address, by its host. @type {Map<string, string>} */
  const typed = new Map();

  /** The served page's token, for as long as the tab. @returns {string} */
  function kept() {
    try {
      return sessionStorage.getItem(KEPT) ?? "";
    } catch {
      return typed.get(location.host) ?? "";
    }
  }

  /** Take a token out of the page's own address, so that it stays in no history. @returns {boolean} */
  function takeFromAddress() {
    const found = asFile ? null : /^#token=([\w-]+)$/.exec(location.hash);
    if (found === null) return false;
    typed.set(location.host, found[1]);
    try {
      sessionStorage.setItem(KEPT, found[1]);
    } catch {
      // A browser that keeps nothing: the token then lasts as long as the page.
    }
    history.replaceState(null, "", location.pathname + location.search);
    return true;
  }

  /**
   * Read session.js, if this page is a file. Again each time, because the server may have written it since.
   * @returns {Promise<void>}
   */
  function read() {
    if (!asFile) return Promise.resolve();
    return new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = `session.js?${Date.now()}`;
      for (const end of ["load", "error"]) {
        script.addEventListener(end, () => {
          script.remove();
          resolve();
        });
      }
      document.head.append(script);
    });
  }

  /** Whether a page opened as a file has found its token. */
  function isMissing() {
    return asFile && (BreastAI.sessionToken ?? "") === "";
  }

  /** @param {URL} url */
  function tokenFor(url) {
    const given = typed.get(url.host);
    if (given !== undefined) return given;
    if (!asFile) return url.host === location.host ? kept() : "";
    // This machine's token is nobody else's business.
    return LOOPBACK.test(url.hostname) ? (BreastAI.sessionToken ?? "") : "";
  }

  /** The address without a token that was typed with it, which is remembered. @param {string} address @returns {string} */
  function taken(address) {
    const url = new URL(address);
    const given = url.searchParams.get("token");
    if (given === null) return address;
    typed.set(url.host, given);
    url.searchParams.delete("token");
    return url.href;
  }

  /** @param {string} address @returns {string} */
  function addedTo(address) {
    const url = new URL(address);
    const token = tokenFor(url);
    if (token === "") return address;
    url.searchParams.set("token", token);
    return url.href;
  }

  takeFromAddress();
  addEventListener("hashchange", () => {
    if (takeFromAddress()) location.reload();
  });

  BreastAI.token = { read, isMissing, taken, addedTo };
})();
