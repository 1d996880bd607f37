"""The methods of a report: images and patients in and out, how they were divided, audited and used, and the training."""

from collections.abc import Iterator, Mapping

from breastai.clinical.report.report_adaptation import adaptation_blocks, sample_steps
from breastai.clinical.report.report_blocks import Block, Flow, Heading, Inlines, Paragraph, Step, Table
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_texts import finding_text, initial_weights, monitor_name, translate_sentence
from breastai.texts.renderer import write_value


def methods(page: ReportPage) -> Iterator[Block]:
    """Yield the methods."""
    yield Heading(page.t["methods"])
    if page.document.flow is None:
        yield page.say("methods.elsewhere")
        return
    yield from adaptation_blocks(page)
    yield from flow_and_split(page)
    yield from audit_found(page)
    yield from training(page)
    yield from used_for(page)


def flow_and_split(page: ReportPage) -> Iterator[Block]:
    """Yield the flow of patients and images, and how they were divided."""
    t = page.t
    yield Heading(t["trained_on"], 3)
    yield Flow(tuple(_flow_steps(page)), t["flow.caption"])
    yield from corrections(page)
    yield from split(page)


def _flow_steps(page: ReportPage) -> Iterator[Step]:
    """Yield the images in and out, part by part."""
    t, flow = page.t, page.flow
    leaving = [page.fill("flow.skipped", n=page.count("flow", "skipped"))] if flow.skipped else []
    for reason in flow.left_out:
        words = t.get(f"reason.{reason}", reason)
        leaving.append(page.fill("flow.left_out", n=page.count("flow", "left_out", reason), reason=words))
    if flow.masks:
        leaving.append(page.fill("flow.masks", n=page.count("flow", "masks")))
    if page.document.is_recorded:
        yield Step(page.fill("flow.found", n=page.count("flow", "found")), tuple(leaving))
    for part in ("train", "val", *(("calibration",) if flow.calibration_total else ())):
        total = page.count("flow", f"{part}_total")
        classes = page.counts("flow", part)
        text = page.fill(f"flow.{part}" if classes else f"flow.{part}_only", n=total, classes=classes)
        yield Step((*text, *page.patients_of(part)))
    if page.document.adapted is not None:
        yield from sample_steps(page)
        if page.document.adapted.judges_rest:
            return
    if flow.test_total is not None:
        gone = (page.fill("flow.test_skipped", n=page.count("flow", "test_skipped")),) if flow.test_skipped else ()
        text = page.fill("flow.test", n=page.count("flow", "test_total"), classes=page.counts("evidence", "counts"))
        yield Step((*text, *page.patients_of("test")), gone)


def split(page: ReportPage) -> Iterator[Block]:
    """Yield how the images were divided, and who is on both sides."""
    document, t = page.document, page.t
    yield Heading(t["split"], 3)
    yield page.say("split.how", description=translate_sentence(document.split["description"], page.language))
    if not document.is_recorded:
        return
    shared = document.split["shared_patients"]
    if document.patients and shared:
        for part in shared:
            trained = page.count("flow", "train_patients")
            trained = page.count("patients") if trained.value is None else trained
            numbers = {"patients": trained, "shared": page.count("split", "shared_patients", part)}
            told = page.fill("split.patients_shared", part=t[f"part.{part}"], **numbers)
            yield Paragraph(told, "warning")
    elif document.patients:
        yield page.say("split.patients")
    else:
        yield Paragraph((t["split.no_patients"],), "warning")
    looked = "none" if document.audit is not None else "unknown"
    key = f"split.twins.{document.split['on_leak'] if document.split['groups'] else looked}"
    role = "warning" if document.split["on_leak"] == "continue" and document.split["groups"] else "plain"
    yield Paragraph(page.fill(key, groups=page.count("split", "groups")), role)  # type: ignore[arg-type]
    for part in document.split["shared_groups"]:
        number = page.count("split", "shared_groups", part)
        yield Paragraph(page.fill("split.groups_shared", part=t[f"part.{part}"], shared=number), "warning")


def corrections(page: ReportPage) -> Iterator[Block]:
    """Yield how many images a person left out or relabelled in the description of the data set, test images by name."""
    counts = page.flow.corrections
    if not counts.left_out + counts.relabelled:
        return
    names = ("left_out", "relabelled")
    yield page.say("flow.corrections", **{name: page.count("flow", "corrections", name) for name in names})
    if counts.of_test:
        told = page.fill("flow.corrections_of_test", n=page.count("flow", "corrections", "of_test"))
        yield Paragraph(told, "warning")


def audit_found(page: ReportPage) -> Iterator[Block]:
    """Yield what the audit found in the images."""
    audit, t = page.document.audit, page.t
    if not page.document.is_recorded:
        return
    yield Heading(t["audit"], 3)
    if audit is None:
        yield Paragraph((t["audit.none"],))
        return
    names = ("images", "groups", "contradicting", "across")
    yield page.say("audit.counts", **{name: page.count("audit", name) for name in names})
    if not audit.findings:
        yield Paragraph((t["audit.clean"],))
        return
    rows = tuple(
        (
            (t[f"severity.{finding.severity}"],),
            (finding_text(finding, page.language),),
            (page.count("audit", "findings", number, "count"),) if finding.count else ("",),
        )
        for number, finding in enumerate(audit.findings)
    )
    head = (t["audit.severity"], t["audit.finding"], t["audit.files"])
    yield Table(head, rows, t["audit.caption"], widths=(0.16, 0.72, 0.12))


def training(page: ReportPage) -> Iterator[Block]:
    """Yield how the network was trained, and how often the judged images were opened."""
    t, told = page.t, page.values["training"]
    yield Heading(t["training" if page.document.adapted is None else "adapted.training"], 3)
    key = "training.text" if page.document.is_recorded else "training.unrecorded"
    yield page.say(
        f"{key}_probe" if page.is_probe else key,
        epochs=page.count("training", "epochs_run"),
        planned=page.count("training", "epochs_planned"),
        best=page.count("training", "best_epoch"),
        monitor=monitor_name(told["monitor"], t),
        duration=page.count("training", "duration_s"),
    )
    yield page.say("training.weights", pretrained=initial_weights(page.document.model["pretrained"], t))
    if (weights := page.document.model.get("weights")) is not None:
        yield page.say(
            "training.own_weights",
            name=weights["name"],
            sha256=weights["sha256"][:16],
            licence=weights["licence"] or "-",
            seen=", ".join(weights["seen"]) or "-",
        )
    if page.document.openings:
        rows: tuple[tuple[Inlines, ...], ...] = tuple(
            (
                (_opened(each["data"], each["split"], t),),
                (write_value(each["created"], page.language, "datetime"),),
                (page.count("openings", number, "n"),),
                (page.count("openings", number, "opened"),),
            )
            for number, each in enumerate(page.document.openings)
        )
        head = (t["openings.data"], t["openings.when"], t["figures.n"], t["openings.opened"])
        yield Table(head, rows, t["openings"], widths=(0.4, 0.3, 0.1, 0.2))


def _opened(data: str, split: str | None, texts: Mapping[str, str]) -> str:
    """Return which images were opened: their place, and their part where the place does not say it; of a fold, its part."""
    if data == split and f"part.{split}" not in texts:
        return texts.get(f"used_for.part.{split}", data)
    return data if split is None or f"/{data}".endswith(f"/{split}") else f"{data} ({texts[f'part.{split}']})"


def used_for(page: ReportPage) -> Iterator[Block]:
    """Yield which images each part of the model, and the figures, rest on."""
    rests = (page.document.evaluation or {}).get("used_for")
    if rests is None:
        return
    t = page.t
    rows = tuple(
        ((t[f"used_for.{of}"],), (t.get(f"used_for.part.{part}", str(part)),))
        for of, part in rests.items()
        if f"used_for.{of}" in t and part is not None
    )
    yield Table((t["used_for.what"], t["used_for.images"]), rows, t["used_for.title"], widths=(0.4, 0.6))
