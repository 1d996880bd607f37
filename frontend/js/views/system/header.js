/* The top of the page: connection, language, theme; and what to type when no server answers. */
(function () {
  "use strict";

  const { byId, make } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const THEME = "breastai.theme";
  const ADDRESS = "breastai.address";
  const FOLDED = "breastai.folded";
  const THEMES = ["auto", "light", "dark"];

  /** @param {string} theme */
  function setTheme(theme) {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.dataset.theme = theme;
  }

  /** @param {Context} context */
  function create({ connection, restyle }) {
    const address = /** @type {HTMLInputElement} */ (byId("address"));
    const language = /** @type {HTMLSelectElement} */ (byId("language"));
    const theme = /** @type {HTMLSelectElement} */ (byId("theme"));

    const remembered = BreastAI.memory.read(THEME) ?? "auto";
    theme.value = THEMES.includes(remembered) ? remembered : "auto";
    setTheme(theme.value);
    theme.addEventListener("change", () => {
      BreastAI.memory.write(THEME, theme.value);
      setTheme(theme.value);
      restyle();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);

    for (const each of BreastAI.i18n.languages()) {
      language.append(make("option", { text: String(BreastAI.locales[each]["language.name"] ?? each), attributes: { value: each, lang: each } }));
    }
    language.value = BreastAI.i18n.current();
    language.addEventListener("change", () => BreastAI.i18n.remember(language.value));

    const usual = BreastAI.connection.defaultUrl(location);
    const asFile = location.protocol === "file:";
    // A served page belongs to its own server; only a file page may have been told of another.
    address.value = (asFile && BreastAI.memory.read(ADDRESS)) || usual;
    byId("connection-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const url = address.value.trim() || usual;
      if (BreastAI.connection.isSocketUrl(url)) address.value = BreastAI.token.taken(url);
      if (asFile && BreastAI.connection.isSocketUrl(url)) BreastAI.memory.write(ADDRESS, address.value === usual ? null : address.value);
      connection.connect(address.value.trim() || usual);
    });
    byId("connection-form").querySelector("[data-action=disconnect]")?.addEventListener("click", () => connection.disconnect());

    const fold = byId("fold");
    /** @param {boolean} folded */
    function setFolded(folded) {
      document.querySelector(".shell")?.classList.toggle("folded", folded);
      fold.setAttribute("aria-expanded", String(!folded));
    }
    setFolded(BreastAI.memory.read(FOLDED) === "yes");
    fold.addEventListener("click", () => {
      const folded = fold.getAttribute("aria-expanded") === "true";
      BreastAI.memory.write(FOLDED, folded ? "yes" : null);
      setFolded(folded);
    });

    const menu = byId("menu");
    /** On a phone the views lie behind a button. @param {boolean} open */
    function setMenu(open) {
      document.querySelector(".shell")?.classList.toggle("menu-open", open);
      menu.setAttribute("aria-expanded", String(open));
    }
    menu.addEventListener("click", () => setMenu(menu.getAttribute("aria-expanded") !== "true"));
    addEventListener("hashchange", () => setMenu(false));

    /** @type {number | undefined} */
    let countdown;
    let everConnected = false;
    let phase = "connected";

    /** @param {ConnectionState} state */
    function showOffline(state) {
      const offline = state.phase !== "connected" && (state.failed || state.phase === "disconnected");
      byId("offline").hidden = !offline;
      byId("offline-text").textContent = t(state.phase === "disconnected" ? "offline.disconnected" : "offline.text", { url: state.url || address.value });
      showTokenHint(offline && state.phase !== "disconnected", state.url);
      clearInterval(countdown);
      const line = byId("offline-retry");
      if (state.phase !== "waiting") {
        line.textContent = state.phase === "connecting" ? t("offline.trying") : "";
        return;
      }
      let left = Math.max(1, Math.ceil(state.retryInS ?? 1));
      const tick = () => {
        line.textContent = BreastAI.i18n.plural("offline.retry", Math.max(left, 1));
        left -= 1;
      };
      tick();
      countdown = setInterval(tick, 1000);
    }

    /** Say what a server that is running may miss: a browser does not tell a page why it was refused. @param {boolean} shown @param {string} url */
    function showTokenHint(shown, url) {
      const key = !asFile ? "offline.token_served" : BreastAI.token.isMissing() ? "offline.token_missing" : "offline.token_file";
      byId("offline-token").hidden = !shown || (!asFile && everConnected);
      byId("offline-token-text").textContent = t(key);
      const link = byId("offline-served");
      link.hidden = !asFile;
      if (!asFile || !BreastAI.connection.isSocketUrl(url)) return;
      const served = BreastAI.servedFiles.page(url);
      link.textContent = served;
      link.setAttribute("href", served);
    }

    return {
      /** @param {State} state */
      render(state) {
        everConnected ||= state.welcome !== null;
        const pill = byId("connection-state");
        const text = t(`connection.${state.connection.phase}`);
        if (pill.textContent !== text) pill.textContent = text;
        pill.className = `pill phase-${state.connection.phase}`;
        if (phase !== state.connection.phase) {
          phase = state.connection.phase;
          // Where there is no connection its address is wanted; with one it needs no room.
          if (phase !== "connecting") /** @type {HTMLDetailsElement} */ (byId("connection")).open = phase !== "connected";
        }
        byId("version").textContent = state.welcome === null ? "" : state.welcome.version;
        address.disabled = state.connection.phase === "connected";
        showOffline(state.connection);
        const fault = state.welcome?.config_error ?? null;
        byId("config-error").hidden = fault === null;
        byId("config-error").textContent = fault === null ? "" : t("offline.config_error", { reason: fault });
      },
      /** @param {State} state */
      slice: (state) => [state.connection, state.welcome],
    };
  }

  BreastAI.views.header = { create };
})();
