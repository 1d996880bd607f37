/* The images: how many of each class go where, what is left out and why, thumbnails, and one image as the network sees it. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, table, scroller } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  const PAGE = 24;
  const SPLITS = /** @type {const} */ (["train", "val", "test"]);

  /** @param {string} uri */
  function isPicture(uri) {
    // Only pictures of the server's own making; anything else stays out.
    return uri.startsWith("data:image/jpeg;base64,");
  }

  /**
   * Which breast in which view, where a DICOM header says so.
   * @param {{ laterality: "L" | "R" | "B" | null, view: string | null }} said
   */
  function headerText(said) {
    return [said.laterality === null ? null : t(`answers.laterality.${said.laterality}`), said.view].filter((part) => part !== null).join(" · ");
  }

  /** @param {Record<string, number>} counts */
  function total(counts) {
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  /** @param {Wire.DataWarning} warning */
  function warningText(warning) {
    const { most, least, ratio, ...params } = warning.params;
    return t(`data_warning.${warning.code}`, { ...params, most, least, ratio: format.number(ratio, 1) });
  }

  /**
   * What a run would ask before it begins, each with the answers there are: a click puts one into the form.
   * @param {Wire.DataDescribed} found @param {(path: string, value: unknown) => void} answer
   */
  function questionsOf(found, answer) {
    if (!found.questions.length) return null;
    /** @param {Wire.DataQuestion} question @returns {[string, string, unknown][]} */
    const answers = ({ params }) => {
      // Only a question for the class in question comes with an example, only one about a class of masks with its name.
      if (params.example !== undefined && params.class_names !== undefined) {
        return (params.candidates ?? params.class_names).map((/** @type {string} */ each) => [t("data.question.answer", { class_name: each }), "evaluation.target_class", each]);
      }
      return params.class_name !== undefined ? [[t("data.question.keep"), "data.masks", "keep"]] : [[t("data.question.accept"), "data.accept_classes", true]];
    };
    const items = found.questions.map((question) =>
      make(
        "li",
        {},
        make("p", { text: BreastAI.i18n.errorText(question) }),
        ...answers(question).map(([text, path, value]) => make("button", { text, attributes: { type: "button" }, on: { click: () => answer(path, value) } })),
      ),
    );
    return make("ul", { class: "banner warning data-questions" }, ...items);
  }

  /** What a run would train on, in a table. @param {Wire.DataDescribed} found */
  function countsTable(found) {
    const splits = SPLITS.filter((split) => found.counts[split] !== undefined);
    const head = [t("data.class"), ...splits.map((split) => t(`split.${split}`)), t("data.total")];
    /** @param {string} label @param {(split: string) => number} count @param {Node | string} title */
    const row = (label, count, title) => [title || label, ...splits.map((split) => format.integer(count(split))), format.integer(splits.reduce((sum, split) => sum + count(split), 0))];
    const rows = found.class_names.map((label) => row(label, (split) => found.counts[split]?.[label] ?? 0, name(label)));
    rows.push(row(t("data.total"), (split) => total(found.counts[split] ?? {}), ""));
    return scroller(t("data.counts"), table({ caption: t("data.counts"), captionHidden: true, head, rows, numeric: true, class: "totals" }));
  }

  /** @param {Wire.DataDescribed} found @param {(path: string, value: unknown) => void} answer @returns {(Node | null)[]} */
  function described(found, answer) {
    const facts = [
      found.target_class === null ? null : t("data.target_class", { class_name: found.target_class }),
      found.set_aside === null ? t("data.own_validation") : t("data.set_aside", { share: format.percent(found.set_aside) }),
      found.patients === null ? null : plural("data.patients_known", found.patients),
      found.masks > 0 ? plural("data.masks_left_out", found.masks) : null,
      found.looked_at < found.images ? t("data.looked_at", { looked: format.integer(found.looked_at), images: format.integer(found.images) }) : null,
    ].filter((fact) => fact !== null);
    const warnings = found.warnings.map((warning) => make("li", { text: warningText(warning) }));
    return [
      questionsOf(found, answer),
      countsTable(found),
      make("p", { class: "muted", text: facts.join(" ") }),
      warnings.length ? make("ul", { class: "banner warning data-warnings" }, ...warnings) : null,
    ];
  }

  /** @param {Wire.DataDescribed} found */
  function skippedOf(found) {
    if (found.skipped_total === 0) return make("p", { class: "empty", text: t("data.nothing_skipped") });
    const rows = found.skipped.map(({ split, file, reason }) => [name(file), t(`split.${split}`), said(reason)]);
    const head = ["data.file", "data.split", "data.reason"].map((key) => t(key));
    const more = found.skipped_total - found.skipped.length;
    return make(
      "div",
      {},
      scroller(t("data.skipped"), table({ caption: t("data.skipped"), captionHidden: true, head, rows, class: "stacking" })),
      more > 0 ? make("p", { class: "muted", text: plural("audit.more", more) }) : null,
    );
  }

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

    function look() {
      looked = true;
      connection.request("describe_data", order()).then(() => {
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
      fill(label, make("option", { text: t("data.all_classes"), attributes: { value: "" } }), ...found.class_names.map((each) => make("option", { text: each, attributes: { value: each } })));
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
        else if (!looked && !byId("view-data").hidden && state.welcome !== null) look();
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
        BreastAI.actions.markAll(byId("view-data"), store.state());
      },
      /** @param {State} state */
      slice: (state) => [state.described, state.images, state.preview, state.welcome, state.connection.phase, state.pending],
    };
  }

  /**
   * What is trained on, in a few lines, for the form that starts a run.
   * @param {Wire.DataDescribed} found @param {(path: string, value: unknown) => void} answer
   */
  function summary(found, answer) {
    const parts = SPLITS.filter((split) => found.counts[split] !== undefined).map((split) => {
      const counts = found.counts[split];
      const classes = Object.entries(counts).map(([label, count]) => make("span", { class: "summary-class" }, name(label), ` ${format.integer(count)}`));
      return make("li", {}, make("b", { text: `${t(`split.${split}`)} ${format.integer(total(counts))}` }), make("span", { class: "muted summary-classes" }, ...classes));
    });
    const warnings = found.warnings.map((warning) => make("li", { text: warningText(warning) }));
    return make(
      "div",
      {},
      // It may be another folder than the form's by now.
      make("div", {}, name(Object.values(found.folders)[0] ?? "")),
      make("ul", { class: "before-start" }, ...parts),
      found.target_class === null ? null : make("p", { text: t("data.target_class", { class_name: found.target_class }) }),
      questionsOf(found, answer),
      found.skipped_total > 0 ? make("p", { text: plural("data.files_skipped", found.skipped_total) }) : null,
      warnings.length ? make("ul", { class: "before-warnings" }, ...warnings) : null,
      make("a", { text: t("data.see"), attributes: { href: "#data" } }),
    );
  }

  BreastAI.views.data = { create, summary, isPicture, headerText };
})();
