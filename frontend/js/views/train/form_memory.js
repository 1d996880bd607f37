/* The form outlives the page: the browser keeps it; and what replaces changed settings says so and can be undone. */
(function () {
  "use strict";

  const { byId } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const KEPT = "breastai.form";
  /** What says something of certain images, and nothing of others. */
  const OF_IMAGES = ["evaluation.patient_id", "evaluation.target_class", "evaluation.ordered_classes"];

  /** What the browser kept, as far as it is a form. @returns {Partial<Form>} */
  function remembered() {
    try {
      const { folder, images, preset, chosen, changed } = JSON.parse(BreastAI.memory.read(KEPT) ?? "{}");
      return {
        folder: typeof folder === "string" ? folder : null,
        images: typeof images === "string" ? images : null,
        preset: typeof preset === "string" ? preset : "",
        chosen: chosen === true || (chosen === undefined && typeof preset === "string" && preset !== ""),
        changed: changed !== null && typeof changed === "object" && !Array.isArray(changed) ? changed : {},
      };
    } catch {
      return {};
    }
  }

  /** @param {Context} context @param {() => void} again draws the form as it is now */
  function create({ store }, again) {
    const note = byId("form-note");
    const button = byId("form-undo");
    /** @type {() => void} */
    let act = () => {};
    /** @type {() => void} */
    let tell = () => {};

    store.dispatch({ type: "@form", form: remembered() });
    let kept = store.state().form;
    const folder = /** @type {HTMLInputElement} */ (byId("data-path"));
    /** @type {unknown} */
    let found = null;
    // Half of a name that is being typed names no other images.
    folder.addEventListener("change", () => {
      if (kept.images !== null) settle(folder.value.trim());
    });
    store.subscribe(({ form, preFlight }) => {
      // The first images that are found: they are what the settings of the form are for.
      if (preFlight !== found) {
        found = preFlight;
        if (found !== null && form.images === null) settle(folder.value.trim());
      }
      if (form === kept) return;
      kept = form;
      const empty = form.folder === null && !form.chosen && Object.keys(form.changed).length === 0;
      BreastAI.memory.write(KEPT, empty ? null : JSON.stringify(form));
    });
    button.addEventListener("click", () => act());
    BreastAI.i18n.onChange(() => tell());

    /** @param {() => string} words @param {string} key @param {() => void} action */
    function offer(words, key, action) {
      act = action;
      tell = () => {
        byId("form-note-text").textContent = words();
        button.textContent = t(key);
      };
      tell();
      note.hidden = false;
    }

    function hide() {
      note.hidden = true;
    }

    /** @param {string} key @param {() => void} change */
    function replace(key, change) {
      const before = store.state().form;
      const count = Object.keys(before.changed).length;
      change();
      if (count === 0) return hide();
      offer(() => plural(key, count), "start.undo", () => {
        store.dispatch({ type: "@form", form: before });
        hide();
        again();
      });
    }

    /**
     * The form is for these images from now on: what was set for others is taken back, said, and can be undone.
     * @param {string} images @param {string | null} [folder] what the field of the form is to say
     */
    function settle(images, folder = store.state().form.folder) {
      const { form } = store.state();
      if (form.images === images && form.folder === folder) return;
      const foreign = form.images === null || form.images === images ? [] : OF_IMAGES.filter((path) => Object.hasOwn(form.changed, path));
      const kept = Object.fromEntries(Object.entries(form.changed).filter(([path]) => !foreign.includes(path)));
      store.dispatch({ type: "@form", form: { folder, images, changed: kept } });
      if (foreign.length === 0) return;
      offer(() => t("start.of_other_images", { settings: foreign.map((path) => t(`setting.${path}.label`)) }), "start.undo", () => {
        store.dispatch({ type: "@form", form: { changed: { ...store.state().form.changed, ...Object.fromEntries(foreign.map((path) => [path, form.changed[path]])) } } });
        hide();
        again();
      });
      again();
    }

    return {
      replace,
      settle,
      /** @param {Partial<Form>} form */
      keep: (form) => store.dispatch({ type: "@form", form }),
      /** Show folder and preset as they are kept. @param {HTMLInputElement} folder @param {HTMLSelectElement} preset */
      show(folder, preset) {
        const { form, welcome } = store.state();
        const wanted = form.folder ?? (welcome === null ? folder.value : BreastAI.settings.dataFolder(welcome.config));
        if (document.activeElement !== folder && folder.value !== wanted) folder.value = wanted;
        if (preset.value !== form.preset) preset.value = form.preset;
        folder.placeholder = String(/** @type {any} */ (welcome?.config)?.data?.train_dir ?? "");
      },
      propose() {
        const { form, welcome, preFlight } = store.state();
        if (form.chosen || welcome === null) return;
        // What is asked of a network that learns, a probe would not honour.
        const learns = Object.keys(form.changed).some((path) => /^(model|training)\.|^crossval\.tune$|^system\.processes$/.test(path));
        const preset = welcome.preset === null ? "" : learns ? welcome.preset : (preFlight?.preset ?? welcome.preset);
        if (form.preset !== preset) store.dispatch({ type: "@form", form: { preset } });
      },
      /** @param {number} count */
      kept(count) {
        if (count === 0) return hide();
        offer(() => plural("start.kept", count), "start.discard", () => {
          replace("start.discarded", () => store.dispatch({ type: "@form", form: { changed: {} } }));
          again();
        });
      },
    };
  }

  BreastAI.views.formMemory = { create };
})();
