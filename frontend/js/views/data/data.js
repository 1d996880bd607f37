/* The images: what a run would train on, a page of thumbnails, and one image as the network sees it. */
(function () {
  "use strict";

  const { byId, make, fill, name, said } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;
  const { isPicture, headerText, described, skippedOf } = BreastAI.views.dataDescription;

  const PAGE = 24;

  /** @param {Context} context */
  function create(context) {
    const { connection, store } = context;
    const folder = /** @type {HTMLInputElement} */ (byId("data-folder"));
    const split = /** @type {HTMLSelectElement} */ (byId("images-split"));
    const label = /** @type {HTMLSelectElement} */ (byId("images-class"));
    const before = /** @type {HTMLButtonElement} */ (byId("images-before"));
    const after = /** @type {HTMLButtonElement} */ (byId("images-after"));
    const preview = BreastAI.views.preview.create(context, () => order());
    /** Whether the images were asked for on this connection. */
    let looked = false;
    let touched = false;

    /** The settings of the form on the training view, with the folder of this one. */
    function order() {
      const wanted = context.order?.() ?? { config: {} };
      const root = folder.value.trim();
      return root === "" ? wanted : { ...wanted, config: { ...wanted.config, data_path: root } };
    }

    /** @param {number} first */
    function list(first) {
      const fields = { ...order(), split: split.value, first, limit: PAGE, ...(label.value === "" ? {} : { class_name: label.value }) };
      return connection.request("list_images", fields).catch(() => {});
    }

    /** @param {boolean} [unasked] whether the page looks by itself: a folder that is not there is no fault then */
    function look(unasked = false) {
      looked = true;
      connection.request("describe_data", order(), { quiet: unasked }).then(() => {
        label.value = "";
        list(0);
        preview.look(split.value, null);
        // Why is told in a notice; another folder's images must not stand under this one's name.
      }, () => store.dispatch({ type: "@not_described" }));
    }

    /** @param {string} path @param {unknown} value */
    function answer(path, value) {
      context.adopt?.(path, value);
      look();
    }

    context.look = () => {
      touched = false;
      folder.value = /** @type {HTMLInputElement} */ (byId("data-path")).value;
      look();
    };

    folder.addEventListener("input", () => {
      touched = true;
    });
    byId("data-form").addEventListener("submit", (event) => {
      event.preventDefault();
      look();
    });
    split.addEventListener("change", () => list(0));
    label.addEventListener("change", () => list(0));
    before.addEventListener("click", () => list(Math.max(0, (store.state().images?.first ?? 0) - PAGE)));
    after.addEventListener("click", () => list((store.state().images?.first ?? 0) + PAGE));

    /** @param {Wire.ImageEntry} entry @param {string} of */
    function thumbnail(entry, of) {
      const size = entry.width === null ? "" : t("data.size", { width: format.integer(entry.width), height: format.integer(entry.height) });
      const shown = headerText(entry);
      const picture = entry.picture !== null && isPicture(entry.picture)
        ? make("img", { attributes: { src: entry.picture, alt: "", loading: "lazy" } })
        : said(entry.problem ?? "", "no-picture");
      return make(
        "li",
        {},
        make(
          "button",
          { class: "thumbnail", attributes: { type: "button", disabled: entry.problem !== null, "aria-label": t("data.look_at", { file: entry.file }) }, on: { click: () => { preview.look(of, entry.file); byId("preview-title").focus(); } } },
          picture,
          make("span", { class: "thumbnail-name" }, name(entry.file)),
          make("span", { class: "muted", text: size }),
          shown === "" ? null : make("span", { class: "muted", text: shown }),
        ),
      );
    }

    /** @param {State} state */
    function showImages(state) {
      const found = state.images;
      byId("images-card").hidden = found === null;
      if (found === null) return;
      const there = Object.keys(state.described?.folders ?? { train: "" });
      for (const option of split.options) option.disabled = !there.includes(option.value);
      const chosen = label.value;
      fill(label, make("option", { text: t("data.all_classes"), attributes: { value: "" } }), ...found.class_names.map((each) => make("option", { text: BreastAI.i18n.className(each), attributes: { value: each } })));
      label.value = found.class_names.includes(chosen) ? chosen : "";
      const last = Math.min(found.total, found.first + found.images.length);
      byId("images-range").textContent = found.total === 0 ? t("data.no_images") : t("data.range", { first: format.integer(found.first + 1), last: format.integer(last), total: format.integer(found.total) });
      before.disabled = found.first === 0;
      after.disabled = last >= found.total;
      before.title = before.disabled ? t("reason.first_page") : "";
      after.title = after.disabled ? t("reason.last_page") : "";
      fill(byId("images-list"), ...found.images.map((entry) => thumbnail(entry, found.split)));
    }

    /** @type {unknown} */
    let shown = null;
    BreastAI.i18n.onChange(() => {
      shown = null;
    });

    return {
      within: "data",
      /** @param {State} state */
      render(state) {
        if (!touched && document.activeElement !== folder) folder.value = /** @type {HTMLInputElement} */ (byId("data-path")).value;
        // Looked at when first visited on a connection; later by the button.
        if (state.connection.phase !== "connected") looked = false;
        else if (!looked && !byId("view-data").hidden && state.welcome !== null) look(true);
        const found = state.described;
        fill(byId("data-described"), ...(found === null ? [make("p", { class: "empty", text: t("data.none") })] : described(found, answer)));
        byId("skipped-card").hidden = found === null;
        if (found !== null) {
          byId("skipped-count").textContent = found.skipped_total ? format.integer(found.skipped_total) : "";
          fill(byId("skipped-list"), skippedOf(found));
        }
        if (shown !== state.images) {
          shown = state.images;
          showImages(state);
        }
        preview.render(state);
      },
      /** @param {State} state */
      slice: (state) => [state.form.folder, state.described, state.images, state.preview, state.welcome, state.connection.phase],
    };
  }

  BreastAI.views.data = { create };
})();
