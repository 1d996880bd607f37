/* The machine and the project: diagnostics, live while looked at, backup, and how fast the server answers. */
(function () {
  "use strict";

  const { byId, make, fill, name, terms } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {string} label @param {number} percent @param {string} text */
  function gauge(label, percent, text) {
    const meter = make("meter", { attributes: { min: 0, max: 100, high: 90, value: percent, "aria-label": label } });
    return make("div", { class: "progress-line" }, make("span", { class: "progress-label", text: label }), meter, make("span", { class: "progress-value", text }));
  }

  /** @param {number} used @param {number | null | undefined} budget */
  function spaceTaken(used, budget) {
    const taken = format.gigabytes(used);
    return typeof budget === "number" ? t("diagnostics.of", { used: taken, total: format.gigabytes(budget) }) : taken;
  }

  /** What to say where the workspace takes more than it may. @param {Wire.SystemDiagnostics} found */
  function overBudget(found) {
    const [used, budget] = [found.workspace_gb ?? 0, found.disk_budget_gb];
    if (typeof budget !== "number" || used <= budget) return [];
    const sizes = { used: format.gigabytes(used), budget: format.gigabytes(budget), spare: format.gigabytes(found.workspace_spare_gb ?? 0) };
    return [make("p", { class: "banner warning", text: t("diagnostics.over_budget", sizes) })];
  }

  /** @param {Wire.SystemDiagnostics} found */
  function diagnosticsOf(found) {
    const memory = t("diagnostics.of", { used: format.gigabytes(found.memory_used_gb), total: format.gigabytes(found.memory_total_gb) });
    const usable = found.usable_cores ?? found.cpu_count;
    const cores = usable < found.cpu_count ? t("diagnostics.of", { used: format.integer(usable), total: format.integer(found.cpu_count) }) : format.integer(usable);
    /** @type {[string, Node | string][]} */
    const facts = [
      [t("diagnostics.cores"), cores],
      [t("diagnostics.disk_free"), format.gigabytes(found.disk_free_gb)],
      ...(typeof found.workspace_gb === "number" ? [/** @type {[string, string]} */ ([t("diagnostics.workspace"), spaceTaken(found.workspace_gb, found.disk_budget_gb)])] : []),
      [t("diagnostics.server_memory"), format.megabytes(found.server_memory_mb)],
      [t("diagnostics.worker_memory"), format.megabytes(found.worker_memory_mb)],
      [t("diagnostics.worker_cpu"), found.worker_cpu_percent === null ? format.NONE : format.percent(found.worker_cpu_percent / 100)],
      [t("diagnostics.uptime"), format.duration(found.uptime_s)],
      [t("diagnostics.platform"), name(found.platform)],
      ...Object.entries(found.versions).map(([part, version]) => /** @type {[string, string]} */ ([part, version ?? t("diagnostics.not_installed")])),
    ];
    return [
      ...overBudget(found),
      gauge(t("diagnostics.cpu"), found.cpu_percent, format.percent(found.cpu_percent / 100)),
      gauge(t("diagnostics.memory"), found.memory_percent, memory),
      gauge(t("diagnostics.disk"), found.disk_percent, format.percent(found.disk_percent / 100)),
      terms(facts),
    ];
  }

  /** How long the machine is left alone between two looks at it. */
  const LOOK_AFTER_MS = 2000;

  /** @param {Context} context */
  function create({ connection, store }) {
    const live = /** @type {HTMLInputElement} */ (byId("diagnostics-live"));
    /** @type {number | undefined} */
    let timer;
    let phase = "";

    /** Look at the machine again and again, while somebody looks at the figures. */
    function follow() {
      clearTimeout(timer);
      const { phase } = store.state().connection;
      if (!live.checked || document.hidden || byId("view-system").hidden || phase !== "connected") return;
      const next = () => {
        timer = setTimeout(follow, LOOK_AFTER_MS);
      };
      connection.request("system_diagnostics").then(next, next);
    }

    live.addEventListener("change", follow);
    document.addEventListener("visibilitychange", follow);
    addEventListener("hashchange", () => setTimeout(follow));
    for (const action of ["system_diagnostics", "create_backup"]) {
      document.querySelector(`[data-action=${action}]`)?.addEventListener("click", () => connection.request(action).catch(() => {}));
    }
    document.querySelector("[data-action=ping]")?.addEventListener("click", () => {
      const asked = performance.now();
      connection.request("ping").then(() => store.dispatch({ type: "@pong", ms: performance.now() - asked }), () => {});
    });

    return {
      within: "system",
      /** @param {State} state */
      render(state) {
        if (phase !== state.connection.phase) {
          phase = state.connection.phase;
          follow();
        }
        fill(byId("diagnostics"), ...(state.diagnostics === null ? [make("p", { class: "empty", text: t("diagnostics.none") })] : diagnosticsOf(state.diagnostics)));
        const backup = state.backup;
        fill(
          byId("backup"),
          backup === null
            ? make("p", { class: "empty", text: t("backup.none") })
            : make("p", { class: "banner success" }, t("backup.done"), " ", name(backup.path), ` · ${format.bytes(backup.size_mb * 1e6)} · ${BreastAI.i18n.plural("backup.files", backup.files)}`),
        );
        fill(byId("ping"), make("p", { class: state.pongMs === null ? "empty" : "", text: state.pongMs === null ? t("ping.none") : t("ping.took", { ms: format.number(state.pongMs, 1) }) }));
      },
      /** @param {State} state */
      slice: (state) => [state.diagnostics, state.backup, state.pongMs, state.connection.phase],
    };
  }

  BreastAI.views.system = { create };
})();
