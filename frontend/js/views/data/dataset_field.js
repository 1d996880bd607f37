/* The field for images in a view: the names of the data sets that are kept, or another folder, typed or chosen. */
(function () {
  "use strict";

  const { make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  const OTHER = "\u0000";

  /** The names of the data sets that are kept. @type {string[]} */
  let kept = [];

  /** @param {Context} context @param {HTMLInputElement} input the field for a folder, which holds the value in any case */
  function create(context, input) {
    const label = input.labels?.[0] ?? null;
    const select = make("select", { class: "dataset-select" });
    const browse = make("button", { class: "button", attributes: { type: "button" } });
    let listed = "";
    let isOther = false;
    input.before(select);
    input.after(browse);

    /** @param {string} value */
    function put(value) {
      input.value = value;
      for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
      show();
    }

    function show() {
      const known = kept;
      const now = JSON.stringify([BreastAI.i18n.current(), known]);
      if (now !== listed) {
        listed = now;
        fill(select, ...known.map((name) => make("option", { text: name, attributes: { value: name } })), make("option", { text: t("datasets.other"), attributes: { value: OTHER } }));
        select.setAttribute("aria-label", label?.textContent ?? t("start.data_folder"));
        browse.textContent = t("datasets.browse");
      }
      const isKept = !isOther && known.includes(input.value);
      select.hidden = known.length === 0;
      select.value = isKept ? input.value : OTHER;
      input.hidden = isKept;
      browse.hidden = isKept;
    }

    select.addEventListener("change", () => {
      isOther = select.value === OTHER;
      if (isOther) {
        show();
        input.focus();
      } else put(select.value);
    });
    browse.addEventListener("click", async () => {
      const path = await context.chooseFolder?.(input.value);
      if (path) put(path);
    });
    return { show };
  }

  /** The fields of all views, kept up with the list. @param {Context} context */
  function createAll(context) {
    const ids = ["data-path", "data-folder", "audit-path", "doubts-path", "evaluate-path"];
    const fields = ids.map((id) => create(context, /** @type {HTMLInputElement} */ (BreastAI.elements.byId(id))));
    /** @type {unknown} the connection the names were asked for on */
    let askedFor = null;

    function show() {
      for (const field of fields) field.show();
    }

    context.listDatasets = () => {
      // A server that keeps no descriptions has no names to tell.
      context.connection.request("list_datasets", {}, { quiet: true }).then((/** @type {{ datasets: { name: string, problem: unknown }[] }} */ { datasets }) => {
        kept = datasets.filter(({ problem }) => problem === null).map(({ name }) => name);
        show();
      }, () => {});
    };

    return {
      /** @param {State} state */
      render(state) {
        if (state.connection.phase === "connected" && state.welcome !== null && askedFor !== state.welcome) {
          askedFor = state.welcome;
          context.listDatasets?.();
        }
        show();
      },
      /** @param {State} state */
      slice: (state) => [state.connection.phase, state.welcome, state.evaluation, state.audit, state.runs, location.hash],
    };
  }

  BreastAI.views.datasetField = { createAll };
})();
