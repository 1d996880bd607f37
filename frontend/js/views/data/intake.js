/* Where images come from: samples made here, a folder the server may read, or what is dropped into the page. */
(function () {
  "use strict";

  const { make, fill } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  /** What an upload is at, shown in all places. @type {UploadProgress | null} */
  let progress = null;
  /** @type {(() => void)[]} */
  const places = [];
  /** @type {AbortController | null} */
  let running = null;

  /** @param {UploadProgress} now */
  function toldOf({ phase, bytes, size }) {
    return t(`intake.${phase}`, { sent: format.bytes(bytes), size: format.bytes(size), share: format.percent(size === 0 ? 1 : bytes / size, 0) });
  }

  /**
   * The three ways, drawn into a place of the page.
   * @param {Context} context @param {HTMLElement} host @param {(path: string) => void} chosen
   */
  function create(context, host, chosen) {
    const { store } = context;
    const folders = fieldFor({ webkitdirectory: true });
    const files = fieldFor({ multiple: true });
    const told = make("p", { class: "intake-told", attributes: { role: "status" } });
    const bar = make("progress", { attributes: { max: 1, value: 0 } });
    const cancel = make("button", { class: "button small", attributes: { type: "button" }, on: { click: () => running?.abort() } });
    const upload = make("div", { class: "intake-progress" }, bar, cancel);
    const drop = make("div", { class: "drop-zone intake-drop" });

    /** @param {Record<string, boolean>} attributes */
    function fieldFor(attributes) {
      const field = make("input", { attributes: { type: "file", hidden: true, tabindex: -1, ...attributes } });
      field.addEventListener("change", () => {
        const found = BreastAI.views.droppedFiles.ofField(field.files ?? []);
        field.value = "";
        send(found);
      });
      return field;
    }

    /** @param {ChosenFiles} found */
    async function send(found) {
      if (running !== null) return;
      if (found.files.length === 0) {
        told.textContent = t("intake.nothing");
        return;
      }
      running = new AbortController();
      try {
        const done = await BreastAI.views.folderUpload.send(context, found, show, running.signal);
        told.textContent = plural("intake.done", done.files, { folder: done.path });
        chosen(done.path);
      } catch (error) {
        // Why is told in a notice.
        told.textContent = t(running.signal.aborted ? "intake.cancelled" : /** @type {Error} */ (error).message === "unreadable" ? "intake.unreadable" : "intake.failed");
      } finally {
        running = null;
        show(null);
      }
    }

    /** @param {UploadProgress | null} now */
    function show(now) {
      progress = now;
      for (const place of places) place();
    }

    function showHere() {
      upload.hidden = progress === null;
      drop.classList.toggle("busy", progress !== null);
      if (progress === null) return;
      bar.value = progress.size === 0 ? 1 : progress.bytes / progress.size;
      told.textContent = toldOf(progress);
    }

    async function browse() {
      const path = await context.chooseFolder?.("");
      if (path) chosen(path);
    }

    BreastAI.elements.takeDrops(drop, (dropped) => {
      const entries = BreastAI.views.droppedFiles.entriesOf(dropped);
      BreastAI.views.droppedFiles.walk(entries).then(send, () => {
        told.textContent = t("intake.unreadable");
      });
    });

    /** In the language of the page. */
    function draw() {
      /** @param {string} key @param {() => void} click @param {string} [classes] */
      const button = (key, click, classes = "") => make("button", { class: `button ${classes}`, text: t(key), attributes: { type: "button" }, on: { click } });
      const sample = BreastAI.elements.actionButton("try_sample", t("intake.sample"), { on: { click: () => context.trySample?.() } });
      fill(
        drop,
        make("p", { class: "intake-drop-text", text: t("intake.drop") }),
        make("div", { class: "button-row" }, button("intake.folder_here", () => folders.click()), button("intake.files_here", () => files.click())),
        make("p", { class: "muted", text: t("intake.drop_help") }),
        upload,
      );
      cancel.textContent = t("dialog.cancel");
      bar.setAttribute("aria-label", t("intake.progress"));
      const way = (/** @type {Node} */ action, /** @type {string} */ help) => make("div", { class: "intake-way" }, action, make("p", { class: "muted", text: t(help) }));
      fill(host, make("div", { class: "intake-ways" }, way(sample, "intake.sample_help"), way(button("intake.browse", browse), "intake.browse_help")), drop, told, folders, files);
      showHere();
      BreastAI.actions.markAll(host, store.state());
    }

    places.push(showHere);
    draw();
    BreastAI.i18n.onChange(draw);
  }

  BreastAI.views.intake = { create };
})();
