/* A cross-validation, or runs by seed: progress run by run, curves of all with their band, figures, spread, going on. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { series, charts } = BreastAI;
  const { foldsTable, spreadTable, resultOf } = BreastAI.views.folds;

  const CURVES = ["val_auc_roc", "val_loss"];

  /** @param {Context} context */
  function create({ connection }) {
    /** @type {{ figure: string, card: ChartCard }[]} */
    let cards = [];
    let drawnFor = "";
    /** @type {ChartCard | null} */
    let roc = null;
    /** @type {unknown} */
    let rocFor = null;

    /** @param {Wire.Study} study */
    function goOn(study) {
      if (!["stopped", "interrupted", "failed"].includes(study.state)) return null;
      return actionButton("resume_study", t("crossval.go_on"), {
        class: "primary",
        on: { click: () => connection.request("resume_study", { study_id: study.study_id }).catch(() => {}) },
      });
    }

    /** @param {Wire.Study} study */
    function drawCurves(study) {
      const language = BreastAI.i18n.current();
      if (drawnFor !== language) {
        for (const { card } of cards) card.destroy();
        drawnFor = language;
        cards = CURVES.map((figure) => ({
          figure,
          card: BreastAI.views.chartCard.create({ name: `crossval-${figure}`, title: BreastAI.catalog.metricName(figure), x: t("figure.epoch"), whole: true }),
        }));
        fill(byId("crossval-curves"), ...cards.map(({ card }) => card.element));
      }
      const labels = { mean: t("crossval.mean"), low: t("crossval.lowest"), high: t("crossval.highest") };
      for (const { figure, card } of cards) card.show(series.bandOf(study.members.map(({ curves }) => curves), figure, labels));
    }

    /** The ROC curves of all parts held out, once they are known. @param {Wire.CrossvalResult | null} found */
    function drawRoc(found) {
      const now = found === null || !charts.available() || Object.keys(found.roc).length === 0 ? null : found;
      if (rocFor === now) return;
      rocFor = now;
      roc?.destroy();
      roc = null;
      fill(byId("crossval-roc"));
      if (now === null) return;
      roc = BreastAI.views.chartCard.create({ name: "crossval-roc", title: t("crossval.roc"), x: t("evaluation.false_positive_rate"), y: t("metric.sensitivity"), unit: true });
      byId("crossval-roc").append(roc.element);
      const lines = Object.entries(now.roc).map(([label, curve]) => ({ label: BreastAI.i18n.className(label), points: (curve.false_positive_rate ?? []).map((x, index) => ({ x: x ?? 0, y: curve.sensitivity?.[index] ?? null })) }));
      roc.show([...lines, { label: t("evaluation.chance"), points: [{ x: 0, y: 0 }, { x: 1, y: 1 }], reference: true }]);
    }

    BreastAI.i18n.onChange(() => {
      rocFor = null;
    });

    return {
      within: "training",
      /** @param {State} state */
      render(state) {
        const study = state.study;
        const shown = study !== null && study.kind !== "tuning";
        byId("crossval-card").hidden = !shown;
        if (!shown) return;
        // A run begun since has its figures together, with the study below them.
        const card = byId("crossval-card");
        const runCard = /** @type {Element} */ (document.querySelector(".run-card"));
        const isOlder = state.run !== null && state.run.id > study.study_id && study.state !== "running";
        if (isOlder && card.nextElementSibling !== null) card.parentElement?.append(card);
        else if (!isOlder && runCard.nextElementSibling !== card) runCard.after(card);
        byId("crossval-title").textContent = t(study.kind === "seeds" ? "seeds.title" : "crossval.title");
        const pill = byId("crossval-state");
        pill.className = `pill run-${study.state === "interrupted" ? "unknown" : study.state}`;
        pill.textContent = t(`studies.state.${study.state}`);
        const done = study.members.filter(({ state: now }) => now === "complete").length;
        fill(
          byId("crossval-body"),
          make("p", {}, name(study.study_id), " · ", t(study.kind === "seeds" ? "seeds.done" : "crossval.done", { done, folds: study.members.length })),
          study.message === "" ? null : make("p", { class: "banner error" }, said(study.message)),
          goOn(study),
          foldsTable(study),
        );
        // Probes have figures and no epochs to draw.
        const begun = study.members.some(({ epoch, curves }) => epoch > 0 && (study.crossval === null || Object.values(curves).some((values) => values.length > 0)));
        byId("crossval-curves").hidden = !begun || !charts.available();
        if (begun && charts.available()) drawCurves(study);
        fill(byId("crossval-result"), ...(study.crossval === null ? [] : resultOf(study.crossval)), ...(study.seeds === null ? [] : [spreadTable(study.seeds, t("seeds.spread"))]));
        drawRoc(study.crossval);
      },
      restyle() {
        for (const { card } of cards) card.restyle();
        roc?.restyle();
      },
      /** @param {State} state */
      slice: (state) => [state.study, state.session.state, state.run?.id],
    };
  }

  BreastAI.views.crossval = { create };
})();
