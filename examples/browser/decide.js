"use strict";
/* What a model's decision rule makes of one answer: the one decision, the classes it can't rule out, and whether a human should decide. */
const ROUNDING = 1e-6; // float32 rounds a probability off by such a share of it
const reaches = (probability, threshold) => probability >= threshold * (1 - ROUNDING);
function decide(model, probabilities, novelty) {
  const { operating_point: point, conformal, novelty: limit } = model.decision ?? {};
  const names = model.class_names;
  const best = (allowed) => allowed.reduce((one, other) => (probabilities[names.indexOf(other)] > probabilities[names.indexOf(one)] ? other : one));
  const called = point && names.includes(point.class_name) ? reaches(probabilities[names.indexOf(point.class_name)], point.threshold) : null;
  const decision = called === null ? best(names) : called ? point.class_name : best(names.filter((name) => name !== point.class_name));
  // No set where too few validation images were there to promise one.
  const plausible = conformal ? names.filter((_, i) => reaches(probabilities[i], conformal.thresholds[i])) : null;
  const unlike = limit && novelty !== undefined ? !(novelty <= limit.limit) : null;
  const unsure = plausible && !(plausible.length === 1 && plausible[0] === decision);
  const reason = unlike ? "unlike" : !unsure ? null : plausible.length === 0 ? "no_class" : plausible.includes(decision) ? "several_classes" : "answer_not_plausible";
  return { decision, plausible, refer: plausible === null && unlike === null ? null : reason !== null, reason };
}
