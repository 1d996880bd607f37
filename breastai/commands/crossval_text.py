"""A cross-validation as text for people: its folds, and what all of them showed."""

from breastai.commands.format_text import count_text, interval, number, values_text
from breastai.domain.study import CrossvalResult, StudyMember

_SPREAD = ("accuracy", "auc_roc", "recall_macro", "f1_macro", "cohen_kappa")


def member_lines(member: StudyMember) -> list[str]:
    """Return the line for a fold's run, once an epoch or the judgement of its part is done."""
    if member.state == "complete":
        judged = "validation" if member.fold is None else "held out"
        return [f"{member.run_id}: {judged} {member.n}, accuracy {number(member.figures.get('accuracy'))}, "
                f"AUC {number(member.figures.get('auc_roc'))}"]  # fmt: skip
    if member.state != "running":
        return []
    if not member.epoch:
        return _search_lines(member)
    last = {name: column[-1] for name, column in member.curves.items() if column}
    return [
        f"{member.run_id}: epoch {member.epoch} of {member.epochs}  loss {number(last.get('train_loss'))}  val: loss "
        f"{number(last.get('val_loss'))}  accuracy {number(last.get('val_accuracy'))}  AUC {number(last.get('val_auc_roc'))}"
    ]


def _search_lines(member: StudyMember) -> list[str]:
    """Return the line for a fold's search, after each trial and at its end."""
    if member.tuning is None or not member.tuning.done:
        return []
    if member.values:
        return [f"{member.run_id}: trains with {values_text(member.values)}"]
    done = f"{member.tuning.done} of {count_text(member.tuning.trials, 'trial')}"
    return [f"{member.run_id}: search, {done}, best validation AUC {number(member.tuning.best_auc)}"]


def crossval_lines(result: CrossvalResult) -> list[str]:
    """Return what a cross-validation showed."""
    how = "patients and duplicates whole" if result.grouped else "images dealt one by one"
    lines = [f"\n{result.cases} images, each held out once in every repeat ({how}); 95 % intervals:"]
    for name, figure in result.figures.items():
        if name in ("accuracy", "balanced_accuracy", "f1_macro", "cohen_kappa") or name.startswith("auc_roc"):
            lines.append(f"  {name:<28} {number(figure.value)}  {interval(figure)}")
    if result.at_thresholds:
        lines.append(f"{result.target_class}, called by each fold's own threshold:")
        for name, figure in result.at_thresholds.items():
            lines.append(f"  {name:<28} {number(figure.value)}  {interval(figure)}  of {figure.n}")
    lines.append("Folds, mean and standard deviation (lowest to highest):")
    for name, spread in ((name, result.spread[name]) for name in _SPREAD if name in result.spread):
        text = f"{spread.mean:.3f} ± {spread.standard_deviation:.3f}  ({spread.low:.3f} to {spread.high:.3f})"
        lines.append(f"  {name:<28} {text}")
    lines += [f"Note: {note}" for note in result.notes]
    lines.append(f"Record: {result.record}")
    if result.export is not None:
        lines.append(f"Ensemble of the folds: {result.export}")
    return lines
