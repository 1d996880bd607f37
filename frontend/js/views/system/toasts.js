/* Short notices: results go by themselves, errors stay until dismissed. */
(function () {
  "use strict";

  const { byId, make, linked } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const SHOWN_MS = 8000;

  /** @param {(Node | string)[]} parts */
  const textIn = (parts) => parts.map((part) => (typeof part === "string" ? part : part.textContent)).join("");

  /** @param {Context} context */
  function create({ store }) {
    /** @type {Map<number, HTMLElement>} */
    const shown = new Map();

    /** @param {Notice} notice */
    function show(notice) {
      const dismiss = () => store.dispatch({ type: "@dismiss", id: notice.id });
      const close = make("button", { class: "button quiet small", text: "×", attributes: { type: "button", "aria-label": t("toasts.dismiss") }, on: { click: dismiss } });
      const toast = make(
        "div",
        { class: `toast level-${notice.level}`, attributes: { role: notice.level === "error" ? "alert" : null } },
        make("div", {}, make("strong", { text: t(`level.${notice.level}`) }), make("bdi", { class: "toast-text" }, ...linked(BreastAI.views.log.textOf(notice)))),
        close,
      );
      byId("toasts").append(toast);
      shown.set(notice.id, toast);
      if (!notice.sticky) setTimeout(dismiss, SHOWN_MS);
    }

    return {
      /** @param {State} state */
      render(state) {
        const wanted = new Set(state.notices.map(({ id }) => id));
        for (const [id, toast] of shown) {
          if (wanted.has(id)) continue;
          toast.remove();
          shown.delete(id);
        }
        for (const notice of state.notices) if (!shown.has(notice.id)) show(notice);
        for (const notice of state.notices) {
          const toast = shown.get(notice.id);
          const text = toast?.querySelector(".toast-text");
          if (text && text.textContent !== textIn(linked(BreastAI.views.log.textOf(notice)))) text.replaceChildren(...linked(BreastAI.views.log.textOf(notice)));
          // The language may have changed since it was shown.
          const level = toast?.querySelector("strong");
          if (level) level.textContent = t(`level.${notice.level}`);
          toast?.querySelector("button")?.setAttribute("aria-label", t("toasts.dismiss"));
        }
      },
      /** @param {State} state */
      slice: (state) => [state.notices],
    };
  }

  BreastAI.views.toasts = { create };
})();
