/* One image as it is, as the network sees it, and augmented, drawn again while the settings are moved. */
(function () {
  "use strict";

  const { byId, make, fill, name } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format, settings } = BreastAI;

  const DRAWS = 4;
  /** The settings that change what is seen; normalisation does not. */
  const SHOWN = (/** @type {Field} */ field) => (field.section === "augmentation" || field.section === "preprocessing") && field.path !== "preprocessing.normalization" && ["boolean", "choice", "integer", "number"].includes(field.kind);
  /** Where a slider ends although the setting may go on: beyond it nothing new is seen. @type {Record<string, number>} */
  const ENDS = { "preprocessing.clahe_clip_limit": 10, "preprocessing.clahe_grid": 32, "augmentation.scale": 0.5, "augmentation.noise": 0.2 };

  /**
   * @param {Context} context
   * @param {() => Record<string, any>} order the fields of a request about the images
   */
  function create(context, order) {
    const { connection, store } = context;
    /** @type {Map<string, unknown>} what was moved here, by path */
    const moved = new Map();
    /** @type {{ field: Field, show: (value: unknown) => void }[]} */
    let controls = [];
    /** @type {unknown} */
    let drawnFor = null;
    let at = { split: "train", file: /** @type {string | null} */ (null) };
    let seed = 1;
    let waiting = false;
    let again = false;

    /** @param {string} path */
    function valueOf(path) {
      return moved.has(path) ? moved.get(path) : settings.at(context.values?.() ?? store.state().welcome?.config, path);
    }

    /** Ask for the picture as the settings are now; while an answer is awaited, once more after it. */
    function draw() {
      if (waiting) {
        again = true;
        return;
      }
      waiting = true;
      const wanted = order();
      const changes = [...moved].reduce((config, [path, value]) => settings.overlay(config, settings.branch(path, value)), wanted.config ?? {});
      connection
        .request("preview_image", { ...wanted, config: changes, split: at.split, augmented: DRAWS, seed, ...(at.file === null ? {} : { file: at.file }) })
        .catch(() => {})
        .finally(() => {
          waiting = false;
          if (!again) return;
          again = false;
          draw();
        });
    }

    /** @param {Field} field @param {unknown} value */
    function change(field, value) {
      moved.set(field.path, value);
      showControls();
      draw();
    }

    /** @param {Field} field */
    function controlFor(field) {
      const id = `preview-${field.path.replaceAll(".", "-")}`;
      const text = t(`setting.${field.path}.label`);
      if (field.kind === "boolean") {
        const box = make("input", { attributes: { id, type: "checkbox", role: "switch" } });
        box.addEventListener("change", () => change(field, box.checked));
        controls.push({ field, show: (value) => { box.checked = value === true; } });
        return make("div", { class: "slider" }, make("label", { text, attributes: { for: id } }), box);
      }
      if (field.kind === "choice") {
        const select = make("select", { attributes: { id } }, ...field.options.map((value) => make("option", { text: BreastAI.schemaForm.valueText(field, value), attributes: { value: JSON.stringify(value) } })));
        select.addEventListener("change", () => change(field, JSON.parse(select.value)));
        controls.push({ field, show: (value) => { select.value = JSON.stringify(value); } });
        return make("div", { class: "slider" }, make("label", { text, attributes: { for: id } }), select);
      }
      const whole = field.kind === "integer";
      const end = ENDS[field.path] ?? field.maximum ?? field.below ?? 1;
      const step = whole ? 1 : end / 100;
      const slider = make("input", { attributes: { id, type: "range", min: field.minimum ?? (field.above ?? 0) + step, max: end, step } });
      const output = make("output", { attributes: { for: id } });
      slider.addEventListener("input", () => change(field, Number(slider.value)));
      controls.push({
        field,
        show(value) {
          if (document.activeElement !== slider || Number(slider.value) !== value) slider.value = String(value);
          output.textContent = format.number(value, 3);
        },
      });
      return make("div", { class: "slider" }, make("label", { text, attributes: { for: id } }), slider, output);
    }

    /** @param {Wire.ConnectionEstablished} welcome */
    function drawControls(welcome) {
      controls = [];
      const fields = settings.fields(welcome.config_schema).filter(SHOWN);
      const groups = ["preprocessing", "augmentation"].map((section) =>
        make("fieldset", { class: "sliders" }, make("legend", { text: t(`section.${section}`) }), ...fields.filter((field) => field.section === section).map(controlFor)),
      );
      fill(byId("preview-settings"), ...groups);
    }

    function showControls() {
      for (const { field, show } of controls) show(valueOf(field.path));
      byId("preview-adopt").dataset.blocked = moved.size === 0 ? "reason.no_changes" : "";
    }

    byId("preview-redraw").addEventListener("click", () => {
      seed += 1;
      draw();
    });
    byId("preview-reset").addEventListener("click", () => {
      moved.clear();
      showControls();
      draw();
    });
    byId("preview-adopt").addEventListener("click", () => {
      for (const [path, value] of moved) context.adopt?.(path, value);
      moved.clear();
      location.hash = "#training";
    });
    BreastAI.i18n.onChange(() => {
      drawnFor = null;
    });

    /** @param {string} uri @param {string} caption @param {string} alt */
    function picture(uri, caption, alt) {
      const image = BreastAI.views.dataDescription.isPicture(uri) ? make("img", { attributes: { src: uri, alt } }) : null;
      return make("figure", {}, image, make("figcaption", { text: caption }));
    }

    return {
      /** Show an image; null: the first. @param {string} split @param {string | null} file */
      look(split, file) {
        at = { split, file };
        draw();
      },
      /** @param {State} state */
      render(state) {
        const found = state.preview;
        byId("preview-card").hidden = found === null;
        if (found === null || state.welcome === null) return;
        const key = `${BreastAI.i18n.current()} ${state.welcome.config_schema === undefined}`;
        if (drawnFor !== key) {
          drawnFor = key;
          drawControls(state.welcome);
        }
        showControls();
        at = { split: found.split, file: found.file };
        const facts = [t("data.size", { width: format.integer(found.width), height: format.integer(found.height) }), t(found.grey ? "preview.grey" : "preview.colour"), BreastAI.views.dataDescription.headerText(found)].filter((fact) => fact !== "").join(" · ");
        fill(byId("preview-name"), name(found.file), make("span", { class: "badge" }, BreastAI.elements.label(found.class_name)), make("span", { class: "muted", text: facts }));
        fill(
          byId("preview-pictures"),
          picture(found.original, t("preview.original"), t("preview.original_alt", { file: found.file })),
          picture(found.preprocessed, t("preview.preprocessed", { side: format.integer(found.image_size) }), t("preview.preprocessed_alt", { file: found.file })),
        );
        fill(byId("preview-augmented"), ...found.augmented.map((uri, index) => picture(uri, t("preview.draw", { n: format.integer(index + 1) }), t("preview.augmented_alt", { file: found.file }))));
      },
    };
  }

  BreastAI.views.preview = { create };
})();
