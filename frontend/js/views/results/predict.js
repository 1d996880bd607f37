/* Asking models about images: choosing or dropping them, which models, handing them over part by part, and the question. */
(function () {
  "use strict";

  const { byId, make, fill, name } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  /** Whether a name is that of an exported model. @param {string} model */
  function isExport(model) {
    return model.endsWith(".onnx");
  }

  /** @param {Context} context */
  function create({ connection, store }) {
    const form = byId("predict-form");
    const input = /** @type {HTMLInputElement} */ (byId("predict-files"));
    const drop = byId("predict-drop");
    const first = /** @type {HTMLSelectElement} */ (byId("predict-model"));
    const second = /** @type {HTMLSelectElement} */ (byId("predict-other"));
    const heat = /** @type {HTMLInputElement} */ (byId("predict-heat"));
    const keep = /** @type {HTMLInputElement} */ (byId("predict-keep"));
    const together = /** @type {HTMLInputElement} */ (byId("predict-one-patient"));
    const told = byId("predict-told");
    /** @type {File[]} */
    let files = [];
    let asking = false;
    /** What is told of the question, in the language of the page. */
    let telling = () => "";
    /** What the list of models was last made from. */
    let listed = "";
    /** The lists in which someone chose; in the others the current model is, also once another is current. @type {Set<HTMLSelectElement>} */
    const picked = new Set();

    /** How many images, and of which size, the server takes; null before its welcome. */
    function limits() {
      return store.state().welcome?.catalog.asking ?? null;
    }

    /** @param {Iterable<File>} more */
    function add(more) {
      const bounds = limits();
      /** @type {string[]} */
      const refused = [];
      for (const file of more) {
        if (files.some((known) => known.name === file.name && known.size === file.size && known.lastModified === file.lastModified)) continue;
        if (bounds !== null && files.length >= bounds.most_images) refused.push(t("predict.too_many", { file: file.name, most: bounds.most_images }));
        else if (file.size === 0) refused.push(t("predict.empty", { file: file.name }));
        else if (bounds !== null && file.size > bounds.most_image_bytes) refused.push(t("predict.too_large", { file: file.name, most: format.bytes(bounds.most_image_bytes) }));
        else files.push(file);
      }
      tell(() => refused.join(" "));
      showFiles();
    }

    /** @param {() => string} text */
    function tell(text) {
      telling = text;
      told.textContent = text();
    }

    function showFiles() {
      const rows = files.map((file) =>
        make(
          "li",
          {},
          name(file.name),
          make("span", { class: "muted", text: format.bytes(file.size) }),
          make("button", {
            class: "button small",
            text: t("predict.remove"),
            attributes: { type: "button", "aria-label": `${t("predict.remove")} ${file.name}` },
            on: {
              click: () => {
                files = files.filter((other) => other !== file);
                showFiles();
                byId("predict-choose").focus();
              },
            },
          }),
        ),
      );
      fill(byId("predict-chosen"), ...rows);
      BreastAI.views.lesionBox.clear();
      mark();
    }

    function models() {
      return [first.value, second.value].filter((value, index, all) => value !== "" && all.indexOf(value) === index);
    }

    /** Why nothing can be asked now; "" when it can. */
    function reason() {
      if (asking) return "reason.waiting";
      if (first.value === "") return "reason.no_model_to_ask";
      if (files.length === 0) return "reason.no_images_chosen";
      const busy = store.state().session.state !== "idle";
      return busy && !models().every(isExport) ? "reason.busy_but_exports" : "";
    }

    function mark() {
      const drawable = !models().every(isExport);
      heat.disabled = !drawable;
      byId("predict-heat-help").textContent = t(drawable || first.value === "" ? "predict.heat_help" : "predict.heat_none");
      /** @type {HTMLElement} */ (byId("predict-ask")).dataset.blocked = reason();
      BreastAI.actions.markAll(form, store.state());
    }

    async function ask() {
      if (reason() !== "") return;
      asking = true;
      mark();
      const chosen = [...files];
      const wanted = models();
      try {
        for (const [index, file] of chosen.entries()) {
          await BreastAI.views.upload.handOver(connection, file, `i${index + 1}`, (share) => {
            tell(() => t("predict.handing_over", { n: format.integer(index + 1), total: format.integer(chosen.length), share: format.percent(share, 0) }));
          });
        }
        tell(() => t("predict.asking"));
        store.dispatch({ type: "@asking", models: wanted, count: chosen.length });
        const images = chosen.map((_, index) => `i${index + 1}`);
        const done = await connection.request("ask_images", { images, models: wanted, heat_maps: heat.checked && !heat.disabled, keep: keep.checked, one_patient: together.checked, boxes: BreastAI.views.lesionBox.boxesOf(images) });
        tell(() => done.type !== "images_answered" ? t("predict.failed") : [plural("predict.done", done.count), done.kept === null ? t("predict.not_kept") : t("predict.kept", { folder: done.kept })].join(" "));
      } catch {
        // Why is told in a notice.
        tell(() => t("predict.failed"));
      } finally {
        asking = false;
        mark();
      }
    }

    byId("predict-choose").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      add(input.files ?? []);
      input.value = "";
    });
    BreastAI.elements.takeDrops(drop, (dropped) => add(dropped?.files ?? []));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask();
    });
    for (const select of [first, second]) {
      select.addEventListener("change", () => {
        picked.add(select);
        mark();
      });
    }
    BreastAI.i18n.onChange(() => {
      listed = "";
      told.textContent = telling();
      showFiles();
    });

    /** @param {HTMLSelectElement} select @param {State} state @param {boolean} optional */
    function offer(select, state, optional) {
      const chosen = select.value;
      const checkpoints = (state.checkpoints ?? []).filter((entry) => entry.problem === null).map((entry) => entry.checkpoint);
      const exported = (state.exported ?? []).map((entry) => entry.path).filter(isExport);
      /** @param {string} key @param {string[]} names */
      const group = (key, names) => (names.length === 0 ? null : make("optgroup", { attributes: { label: t(key) } }, ...names.map((each) => make("option", { text: each, attributes: { value: each } }))));
      fill(select, optional ? make("option", { text: t("predict.no_other"), attributes: { value: "" } }) : null, group("nav.checkpoints", checkpoints), group("exports.all", exported));
      const known = [...checkpoints, ...exported];
      const current = state.session.currentModel;
      const follows = !optional && current !== null && known.includes(current) && !(picked.has(select) && known.includes(chosen));
      if (follows) select.value = String(current);
      else if (known.includes(chosen)) select.value = chosen;
    }

    return {
      /** @param {State} state */
      render(state) {
        const now = JSON.stringify([BreastAI.i18n.current(), state.session.currentModel, state.checkpoints?.map((entry) => [entry.checkpoint, entry.problem]), state.exported?.map((entry) => entry.path)]);
        if (listed !== now) {
          listed = now;
          offer(first, state, false);
          offer(second, state, true);
        }
        mark();
      },
      /** @param {State} state */
      slice: (state) => [state.checkpoints, state.exported, state.session.currentModel, state.session.state, state.connection.phase, state.welcome],
    };
  }

  BreastAI.views.predict = { create };
})();
