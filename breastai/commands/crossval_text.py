"""A cross-validation as text for people: its folds, and what all of them showed."""

from collections.abc import Mapping

from breastai.commands.format_text import count_text, decimals, interval, number, values_text
from breastai.commands.language import say
from breastai.domain.study import CrossvalResult, Spread, StudyMember

_SPREAD = ("accuracy", "auc_roc", "recall_macro", "f1_macro", "cohen_kappa")


def member_lines(member: StudyMember) -> list[str]:
    """Return the line for a fold's run, once an epoch or the judgement of its part is done."""
    if member.state == "complete":
        key = "cli.fold.validated" if member.fold is None else "cli.fold.held_out"
        accuracy, auc = (number(member.figures.get(name)) for name in ("accuracy", "auc_roc"))
        return [say(key, run=member.run_id, n=member.n, accuracy=accuracy, auc=auc)]
    if member.state != "running":
        return []
    if not member.epoch:
        return _search_lines(member)
    last = {name: column[-1] for name, column in member.curves.items() if column}
    return [
        say(
            "cli.fold.epoch",
            run=member.run_id,
            epoch=member.epoch,
            epochs=member.epochs,
            train_loss=number(last.get("train_loss")),
            val_loss=number(last.get("val_loss")),
            accuracy=number(last.get("val_accuracy")),
            auc=number(last.get("val_auc_roc")),
        )
    ]


def _search_lines(member: StudyMember) -> list[str]:
    """Return the line for a fold's search, after each trial and at its end."""
    if member.tuning is None or not member.tuning.done:
        return []
    if member.values:
        return [say("cli.fold.values", run=member.run_id, values=values_text(member.values))]
    trials = count_text(member.tuning.trials, "trial")
    auc = number(member.tuning.best_auc)
    return [say("cli.fold.search", run=member.run_id, done=member.tuning.done, trials=trials, auc=auc)]


def crossval_lines(result: CrossvalResult) -> list[str]:
    """Return what a cross-validation showed."""
    kept = "grouped" if result.patients_known else "alone" if result.units is None else "duplicates"
    key = f"cli.crossval.{kept if result.grouped else 'single'}"
    lines = [f"\n{say(key, cases=result.cases)}"]
    for name, figure in result.figures.items():
        if name in ("accuracy", "balanced_accuracy", "f1_macro", "cohen_kappa") or name.startswith("auc_roc"):
            lines.append(f"  {name:<28} {number(figure.value)}  {interval(figure)}")
    if result.at_thresholds:
        lines.append(say("cli.crossval.thresholds", name=result.target_class))
        for name, figure in result.at_thresholds.items():
            lines.append(
                f"  {name:<28} {number(figure.value)}  {interval(figure)}  {say('cli.crossval.of', n=figure.n)}"
            )
    lines += _unit_lines(result)
    lines.append(say("cli.crossval.folds"))
    for name, spread in ((name, result.spread[name]) for name in _SPREAD if name in result.spread):
        lines.append(f"  {name:<28} {spread_text(spread)}")
    lines += [say("cli.note", text=note) for note in result.notes]
    lines.append(say("cli.crossval.record", file=result.record))
    if result.export is not None:
        lines.append(say("cli.crossval.ensemble", file=result.export))
    return lines


def _unit_lines(result: CrossvalResult) -> list[str]:
    """Return the figures by breast, exam or patient, where decisions are of these."""
    found = result.by_unit
    if found is None:
        return []
    evidence = found.evidence
    pooling, units = say(f"units.pooling.{found.pooling}"), say(f"units.{found.unit}")
    lines = [
        say(
            "cli.units",
            units=units,
            n=found.units or evidence.n,
            images=count_text(found.images, "image"),
            pooling=pooling,
        )
    ]
    figures = {
        name: figure
        for name, figure in evidence.figures.items()
        if name in ("accuracy", "balanced_accuracy") or name.startswith("auc_roc")
    }
    for name, figure in (figures | result.unit_at_thresholds).items():
        lines.append(f"  {name:<28} {number(figure.value)}  {interval(figure)}")
    return lines


def spread_lines(runs: int, figures: Mapping[str, Spread]) -> list[str]:
    """Return how far each figure of repeated runs spreads."""
    lines = [f"\n{say('cli.seeds', runs=runs)}"]
    return lines + [f"  {name:<20} {spread_text(found)}" for name, found in figures.items()]


def spread_text(spread: Spread) -> str:
    """Return mean, standard deviation, lowest and highest, and of folds the interval of the mean."""
    mean, deviation, low, high = (
        decimals(value, 3) for value in (spread.mean, spread.standard_deviation, spread.low, spread.high)
    )
    told = say("cli.spread", mean=mean, deviation=deviation, low=low, high=high)
    if spread.interval_low is None or spread.interval_high is None:
        return told
    bounds = {"low": decimals(spread.interval_low, 3), "high": decimals(spread.interval_high, 3)}
    return say("cli.spread.interval", spread=told, **bounds)
