"""The report: the document of a run laid out as blocks, in the order a reader asks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from breastai.clinical.report import report_charts as charts
from breastai.clinical.report.report_blocks import (
    Block,
    Flow,
    Heading,
    Inline,
    Inlines,
    Paragraph,
    Picture,
    Pictures,
    Quantity,
    Step,
    Table,
    at,
    fill,
    interval,
)
from breastai.clinical.report.report_caveats import image_uses, patients_at_threshold, pooling, when_chosen
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_target import calibration_of_target
from breastai.clinical.report.report_texts import finding_text, texts, translate_sentence
from breastai.texts.renderer import write_value

_NAME = re.compile(r"(?P<figure>.+?)(?:@(?P<pool>patient)|@(?P<column>[^=@]+)=(?P<value>.*))?")


def lay_out(document: ReportDocument, pictures: Mapping[int, str]) -> list[Block]:
    """Return the blocks of a report. `pictures`: of worst cases by their number, as data URIs."""
    return list(_Layout(document).blocks(pictures))


class _Layout:
    def __init__(self, document: ReportDocument) -> None:
        self._document = document
        self._values: dict[str, Any] = document.model_dump(mode="json")
        self._language = document.language
        self._t = texts(document.language)

    def blocks(self, pictures: Mapping[int, str]) -> Iterator[Block]:
        document, t = self._document, self._t
        yield Heading(t["title"].format(run=document.run_id), 1)
        yield Paragraph((document.notice,), "notice")
        yield Paragraph(
            (
                t["made"].format(
                    created=write_value(document.created, document.language, "datetime"), version=document.breastai
                ),
            ),
            "caption",
        )
        yield from self._summary()
        yield from self._trained_on()
        yield from self._audit()
        yield from self._figures()
        yield from self._point()
        yield from self._calibration()
        yield from self._curves()
        yield from self._worst(pictures)
        yield from self._training()
        yield from self._card()
        yield from self._checklists()
        yield from self._settings()

    # --- what matters first ----------------------------------------------------------------------

    def _summary(self) -> Iterator[Block]:
        document, t = self._document, self._t
        yield Heading(t["summary"])
        model, names = document.model, ", ".join(document.model["class_names"])
        size = self._n("model", "image_size")
        yield self._say("summary.model", architecture=model["architecture"], size=size, classes=names)
        yield self._say("summary.data", train=self._n("flow", "train_total"), val=self._n("flow", "val_total"))
        if document.evidence is None or document.evaluation is None:
            yield Paragraph((t["summary.not_judged"],), "warning")
            return
        yield self._say(
            "summary.judged",
            n=self._n("evidence", "n"),
            what=document.evaluation["split"] or document.evaluation["data"],
            opened=self._n("evaluation", "opened"),
            accuracy=self._figure_text("accuracy"),
        )
        if document.evaluation["split"] != "test":
            yield Paragraph((t["summary.not_test"],), "warning")
        yield from self._plain_words()
        for note in document.evaluation["notes"]:
            yield Paragraph((translate_sentence(note, self._language),), "caption")

    def _plain_words(self) -> Iterator[Block]:
        document, t = self._document, self._t
        point = document.evidence.operating_point if document.evidence else None
        if point is None:
            return
        place = ("evidence", "operating_point")
        if document.per_hundred is not None:
            numbers = {name: self._n("per_hundred", name) for name in type(document.per_hundred).model_fields}
            yield self._say("plain.missed", hundred="100", name=point.class_name, **numbers)
        counts = {name: self._n(*place, name) for name in ("missed", "positives", "called", "negatives")}
        yield self._say("plain.counted", name=point.class_name, **counts)
        yield from patients_at_threshold(document, self._values, t)
        threshold, target = self._at(*place, "threshold"), self._at(*place, "target_sensitivity", kind="plain")
        yield self._say(f"plain.chosen.{when_chosen(document, 'threshold')}", threshold=threshold, target=target)
        if not point.reached:
            text = self._fill(
                f"plain.too_few.{point.validation_unit}",
                positives=self._n(*place, "validation_positives"),
                name=point.class_name,
                target=target,
            )
            yield Paragraph(text, "warning")

    # --- cases -----------------------------------------------------------------------------------

    def _trained_on(self) -> Iterator[Block]:
        document, t = self._document, self._t
        flow = document.flow
        yield Heading(t["trained_on"])
        leaving = [self._fill("flow.skipped", n=self._n("flow", "skipped"))] if flow.skipped else []
        for reason in flow.left_out:
            words = t.get(f"reason.{reason}", reason)
            leaving.append(self._fill("flow.left_out", n=self._n("flow", "left_out", reason), reason=words))
        if flow.masks:
            leaving.append(self._fill("flow.masks", n=self._n("flow", "masks")))
        steps = [Step(self._fill("flow.found", n=self._n("flow", "found")), tuple(leaving))]
        for part in ("train", "val", *(("calibration",) if flow.calibration_total else ())):
            total = self._n("flow", f"{part}_total")
            text = self._fill(f"flow.{part}", n=total, classes=self._counts("flow", part))
            steps.append(Step((*text, *self._patients_of(part))))
        if flow.test_total is not None:
            gone = (self._fill("flow.test_skipped", n=self._n("flow", "test_skipped")),) if flow.test_skipped else ()
            text = self._fill("flow.test", n=self._n("flow", "test_total"))
            steps.append(Step((*text, *self._patients_of("test")), gone))
        yield Flow(tuple(steps), t["flow.caption"])
        rows = tuple(((t[f"fingerprint.{name}"],), (value,)) for name, value in document.fingerprints.items())
        yield Table((t["fingerprints"], "SHA-256"), rows, t["fingerprints.caption"], widths=(0.3, 0.7))
        yield Heading(t["split"])
        yield self._say("split.how", description=translate_sentence(document.split["description"], self._language))
        shared = document.split["shared_patients"]
        if document.patients and shared:
            for part in shared:
                numbers = {"patients": self._n("patients"), "shared": self._n("split", "shared_patients", part)}
                told = self._fill("split.patients_shared", part=t[f"part.{part}"], **numbers)
                yield Paragraph(told, "warning")
        elif document.patients:
            yield self._say("split.patients", patients=self._n("patients"))
        else:
            yield Paragraph((t["split.no_patients"],), "warning")
        key = f"split.twins.{document.split['on_leak']}"
        role = "warning" if document.split["on_leak"] == "continue" and document.split["groups"] else "plain"
        yield Paragraph(self._fill(key, groups=self._n("split", "groups")), role)  # type: ignore[arg-type]
        for part in document.split["shared_groups"]:
            number = self._n("split", "shared_groups", part)
            yield Paragraph(self._fill("split.groups_shared", part=t[f"part.{part}"], shared=number), "warning")

    def _patients_of(self, part: str) -> Inlines:
        patients = self._n("flow", f"{part}_patients")
        return () if patients.value is None else self._fill("flow.patients", patients=patients)

    def _audit(self) -> Iterator[Block]:
        audit, t = self._document.audit, self._t
        yield Heading(t["audit"])
        if audit is None:
            yield Paragraph((t["audit.none"],))
            return
        names = ("images", "groups", "contradicting", "across")
        yield self._say("audit.counts", **{name: self._n("audit", name) for name in names})
        if not audit.findings:
            yield Paragraph((t["audit.clean"],))
            return
        rows = tuple(
            (
                (t[f"severity.{finding.severity}"],),
                (finding_text(finding, self._language),),
                (self._n("audit", "findings", number, "count"),),
            )
            for number, finding in enumerate(audit.findings)
        )
        head = (t["audit.severity"], t["audit.finding"], t["audit.files"])
        yield Table(head, rows, t["audit.caption"], widths=(0.16, 0.72, 0.12))

    # --- figures ---------------------------------------------------------------------------------

    def _figures(self) -> Iterator[Block]:
        document, t = self._document, self._t
        yield Heading(t["figures"])
        evidence = document.evidence
        if evidence is None:
            rows: tuple[tuple[Inlines, ...], ...] = tuple(
                ((t.get(f"metric.{name}", name),), (self._at("validation", name),)) for name in document.validation
            )
            yield Table((t["figures.figure"], t["figures.value"]), rows, t["figures.validation"], widths=(0.6, 0.4))
            return
        parts: dict[str, list[str]] = {}
        for name in evidence.figures:
            found = _NAME.fullmatch(name)
            pool, column = (found["pool"], found["column"]) if found else (None, None)
            parts.setdefault("figures.patients" if pool else "figures.subgroups" if column else "", []).append(name)
        for key, names in parts.items():
            caption = f"{t[key]}. {t['figures.caption']}" if key else t["figures.caption"]
            rows = tuple(self._figure_row(name) for name in names)
            columns = (t["figures.figure"], t["figures.value"], t["figures.interval"])
            counted = t["figures.n_patients" if key == "figures.patients" else "figures.n"]
            yield Table((*columns, counted), rows, caption, widths=(0.52, 0.14, 0.22, 0.12))
            if key == "figures.patients":
                yield from pooling(document, self._values, t)
        yield Paragraph((t["figures.undefined"],), "caption")
        yield from image_uses(self._values, t, "training", "epoch")
        yield Heading(t["confusion"], 3)
        head: tuple[str, ...] = (t["confusion.corner"], *evidence.class_names)
        rows = tuple(
            ((name,), *((self._n("evidence", "confusion_matrix", row, column),) for column in range(len(counts))))
            for row, (name, counts) in enumerate(zip(evidence.class_names, evidence.confusion_matrix, strict=True))
        )
        yield Table(head, rows, t["confusion.caption"])

    def _figure_row(self, name: str) -> tuple[Inlines, ...]:
        place = ("evidence", "figures", name)
        return (
            (self._figure_name(name),),
            (self._at(*place, "value"),),
            self._interval(*place),
            (self._n(*place, "n"),),
        )

    def _figure_name(self, name: str) -> str:
        """Return a figure's name in words: auc_roc.malignant@patient is AUC, malignant, by patient."""
        found = _NAME.fullmatch(name)
        base = found["figure"] if found else name
        known = max(
            (key for key in self._t if key.startswith("metric.") and _begins(base, key[7:])), key=len, default=""
        )
        words = [self._t[known] if known else base]
        rest = base[len(known) - 7 :].lstrip(".") if known else ""
        words += [rest] if rest else []
        if found and found["column"]:
            words.append(f"{found['column']} {found['value']}")
        return ", ".join(words)

    def _point(self) -> Iterator[Block]:
        t, evidence = self._t, self._document.evidence
        yield Heading(t["point"])
        point = evidence.operating_point if evidence else None
        if evidence is None or point is None:
            yield Paragraph((t["point.none"],))
            return
        place = ("evidence", "operating_point")
        rows = tuple(
            (
                (t[f"metric.{name}"],),
                (self._at(*place, "figures", name, "value"),),
                self._interval(*place, "figures", name),
                (self._n(*place, "figures", name, "n"),),
            )
            for name in point.figures
        )
        head = (t["figures.figure"], t["figures.value"], t["figures.interval"], t["figures.n"])
        caption = t["point.caption"].format(name=point.class_name, threshold="…")
        yield Paragraph(self._fill("point.caption", name=point.class_name, threshold=self._at(*place, "threshold")))
        yield Table(head, rows, caption.replace("…", t["figures.value"].lower()), widths=(0.52, 0.14, 0.22, 0.12))
        yield from image_uses(self._values, t, "training", "epoch", "temperature", "threshold")
        values = tuple(
            (
                (t.get(f"prevalence.{name}", name),),
                (self._at("evidence", "prevalences", name, kind="percent"),),
                self._with_interval("evidence", "predictive_values", f"ppv.{name}"),
                self._with_interval("evidence", "predictive_values", f"npv.{name}"),
            )
            for name in evidence.prevalences
        )
        head = ("", t["point.prevalence"], t["point.ppv"], t["point.npv"])
        yield Table(head, values, t["point.predictive"], widths=(0.24, 0.16, 0.3, 0.3))
        if evidence.referral is not None:
            yield Heading(t["referral"], 3)
            places: dict[str, tuple[str, ...]] = {"referred": ("referred", "value")}
            places |= {"error": ("error_among_kept", "value")}
            sets = evidence.referral.error_rate is not None
            places |= {"rate": ("error_rate",), "outside": ("outside", "value")} if sets else {}
            key = "referral.text" if sets else "referral.no_sets"
            found = {name: self._at("evidence", "referral", *place, kind="percent") for name, place in places.items()}
            yield self._say(key, **found)
            if evidence.referral.unlike is None:
                yield self._say("referral.unlike_unknown")
            else:
                unlike = self._at("evidence", "referral", "unlike", "value", kind="percent")
                yield self._say("referral.unlike", unlike=unlike)
            yield from image_uses(self._values, t, "training", "conformal_sets", "novelty")

    def _calibration(self) -> Iterator[Block]:
        t, evidence = self._t, self._document.evidence
        if evidence is None:
            return
        yield Heading(t["calibration"])
        yield from calibration_of_target(self._document, self._values, t)
        if self._document.decision["n"]:
            temperature = self._at("evidence", "calibration", "temperature")
            yield self._say("calibration.how", temperature=temperature, n=self._n("decision", "n"))
        else:
            yield Paragraph((t["calibration.none"],), "warning")
        rows: tuple[tuple[Inlines, ...], ...] = tuple(
            ((t[name],), *((self._at("evidence", "calibration", side, name),) for side in ("before", "after")))
            for name in ("ece", "brier", "log_loss")
        )
        head = (t["calibration.measure"], t["chart.before"], t["chart.after"])
        yield Table(head, rows, t["calibration.caption"])
        yield from image_uses(self._values, t, "training", "epoch", "temperature")

    def _curves(self) -> Iterator[Block]:
        yield Heading(self._t["curves"])
        yield charts.draw_charts(self._document, self._t)

    def _worst(self, pictures: Mapping[int, str]) -> Iterator[Block]:
        document, t = self._document, self._t
        if document.evidence is None:
            return
        yield Heading(t["worst"])
        if not document.worst:
            yield Paragraph((t["worst.none"],))
            return
        yield Paragraph((t["worst.text"],))
        shown = []
        for number, case in enumerate(document.worst):
            caption = self._fill(
                "worst.case",
                label=case.label,
                predicted=case.predicted,
                probability=self._at("worst", number, "probability"),
                truth=self._at("worst", number, "given_to_truth"),
            )
            uri = pictures.get(case.number)
            if uri is None:
                caption = (*caption, f" ({t['worst.absent']})")
            shown.append(Picture(uri, (*caption, f" [{case.name_sha256[:12]}]")))
        yield Pictures(tuple(shown), t["worst.alt"])

    # --- how it was made -------------------------------------------------------------------------

    def _training(self) -> Iterator[Block]:
        t, training = self._t, self._document.training
        yield Heading(t["training"])
        yield self._say(
            "training.text",
            epochs=self._n("training", "epochs_run"),
            planned=self._n("training", "epochs_planned"),
            best=self._n("training", "best_epoch"),
            monitor=training["monitor"],
            duration=self._n("training", "duration_s"),
        )
        yield self._say("training.weights", pretrained=self._document.model["pretrained"])
        if self._document.openings:
            rows: tuple[tuple[Inlines, ...], ...] = tuple(
                (
                    (f"{each['data']} {each['split'] or ''}".strip(),),
                    (write_value(each["created"], self._language, "datetime"),),
                    (self._n("openings", number, "n"),),
                    (self._n("openings", number, "opened"),),
                )
                for number, each in enumerate(self._document.openings)
            )
            head = (t["openings.data"], t["openings.when"], t["figures.n"], t["openings.opened"])
            yield Table(head, rows, t["openings"], widths=(0.4, 0.3, 0.1, 0.2))

    def _card(self) -> Iterator[Block]:
        document, t = self._document, self._t
        yield Heading(t["card"])
        model = document.model
        classes = ", ".join(model["class_names"])
        described = f"{model['architecture']}; {model['pretrained']}; {classes}; {model['checkpoint']}"
        rows: list[tuple[Inlines, Inlines]] = [
            ((t["card.purpose"],), (t["card.purpose_text"].format(notice=document.notice),)),
            ((t["card.not"],), (t["card.not_text"],)),
            ((t["card.model"],), (described,)),
            ((t["trained_on"],), (translate_sentence(document.split["description"], self._language),)),
        ]
        if document.evidence is not None:
            parts: list[Inline] = []
            for name in document.evidence.class_names:
                parts += [f"{self._figure_name(f'auc_roc.{name}')} ", *self._figure_text(f"auc_roc.{name}"), "; "]
            rows.append(((t["figures"],), tuple(parts[:-1])))
        rows.append(((t["card.limits"],), (t["card.limits_text"],)))
        yield Table((t["card.field"], t["card.text"]), tuple(rows), t["card"], widths=(0.25, 0.75))

    def _checklists(self) -> Iterator[Block]:
        t = self._t
        yield Heading(t["checklists"])
        yield Paragraph((t["checklists.text"],))
        for name, items in self._document.checklists.items():
            blank = frozenset(number for number, item in enumerate(items) if item["answer"] is None)
            rows = tuple(
                ((item["item"] or "",), (item["text"] or "",), (item["answer"] or t["checklists.blank"],))
                for item in items
            )
            head = (t["checklists.item"], t["checklists.what"], t["checklists.answer"])
            yield Table(head, rows, name, blank, widths=(0.08, 0.42, 0.5))

    def _settings(self) -> Iterator[Block]:
        t = self._t
        yield Heading(t["settings"])
        rows: tuple[tuple[Inlines, ...], ...] = tuple(
            ((name,), (t.get(f"value.{value}", value),)) for name, value in _flat(self._document.settings)
        )
        yield Table((t["settings.setting"], t["figures.value"]), rows, t["settings"], widths=(0.5, 0.5))
        versions = tuple(((name,), (version,)) for name, version in self._document.versions.items())
        yield Table((t["versions.package"], t["versions.version"]), versions, t["versions"], widths=(0.5, 0.5))

    # --- pieces ----------------------------------------------------------------------------------

    def _at(self, *path: str | int, kind: Any = "figure") -> Quantity:
        return at(self._values, *path, kind=kind)

    def _n(self, *path: str | int) -> Quantity:
        return at(self._values, *path, kind="integer")

    def _fill(self, key: str, **values: Any) -> Inlines:
        return fill(self._t[key], **values)

    def _say(self, key: str, **values: Any) -> Paragraph:
        return Paragraph(self._fill(key, **values))

    def _counts(self, *path: str) -> Inlines:
        parts: list[Inline] = []
        for name in at(self._values, *path).value or {}:  # type: ignore[union-attr]
            parts += [f"{name} ", self._n(*path, name), ", "]
        return tuple(parts[:-1])

    def _interval(self, *path: str | int) -> Inlines:
        return interval(self._values, self._t, *path)

    def _with_interval(self, *path: str | int) -> Inlines:
        return (self._at(*path, "value"), " (", *self._interval(*path), ")")

    def _figure_text(self, name: str) -> Inlines:
        return self._with_interval("evidence", "figures", name)


def _begins(name: str, known: str) -> bool:
    return name == known or name.startswith(f"{known}.")


def _flat(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}{key}.")
        else:
            yield f"{place}{key}", "—" if value is None else str(value)
