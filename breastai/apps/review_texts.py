"""What the page for reviewing says, in English and French."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "fr"]

TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "title": "BreastAI: asking a model, and reviewing its answers",
        "notice": "Research software, not a medical device: neither for diagnosis nor for treatment.",
        "images": "Images (PNG, JPEG, TIFF, DICOM ...)",
        "table": "Answers",
        "file": "File",
        "answer": "Answer",
        "probability": "Probability",
        "state": "State",
        "picture": "The image as it is",
        "probabilities": "Calibrated probabilities",
        "verdict": "What the model says",
        "yours": "What it is, by your own judgement",
        "yours_help": "Your judgement is kept in this page alone, until you save the table.",
        "cannot_say": "can't say",
        "before": "Previous image",
        "after": "Next image",
        "save": "Save the judged images as a table (CSV)",
        "saved_help": "The table has a row for each image you judged. breastai evaluate --predictions FILE.csv says how "
        "well the model agrees with you.",
        "nothing_judged": "No image has been judged yet: choose a class for at least one.",
        "judged": "Judged: {judged} of {count}.",
        "place": "Image {number} of {count}: {file}",
        "says": "{label}, with a probability of {probability}.",
        "called": "Its probability reaches the threshold of {target_class} ({threshold}), chosen on validation images.",
        "not_called": "The probability of {target_class} ({target_probability}) is below its threshold ({threshold}), chosen "
        "on validation images.",
        "plausible": "Plausible classes: {plausible}.",
        "refer_several_classes": "To be seen by a human: the model is not sure enough (it may be: {plausible}).",
        "refer_answer_not_plausible": "To be seen by a human: the answer is not among the plausible classes ({plausible}).",
        "refer_modality": "To be seen by a human: the DICOM header says {modality}, and the model learned from {known} images.",
        "refer_no_class": "To be seen by a human: no class is plausible enough.",
        "refer_unlike": "To be seen by a human: the image is unlike those the model was validated on.",
        "unread": "No answer: {reason}.",
        "ok": "answered",
        "refer": "to be seen by a human",
        "failed": "not read",
        "too_many": "At most {most} images at a time; the first {most} were asked about.",
        "model": "Model: {name}, {architecture}, classes {classes}.",
    },
    "fr": {
        "title": "BreastAI\u00a0: interroger un modèle et relire ses réponses",
        "notice": "Logiciel de recherche, pas un dispositif médical\u00a0: ni pour le diagnostic, ni pour le traitement.",
        "images": "Images (PNG, JPEG, TIFF, DICOM…)",
        "table": "Réponses",
        "file": "Fichier",
        "answer": "Réponse",
        "probability": "Probabilité",
        "state": "État",
        "picture": "L’image telle quelle",
        "probabilities": "Probabilités calibrées",
        "verdict": "Ce que dit le modèle",
        "yours": "Ce que c’est, selon votre propre lecture",
        "yours_help": "Votre lecture ne reste que dans cette page, jusqu’à l’enregistrement du tableau.",
        "cannot_say": "je ne peux pas dire",
        "before": "Image précédente",
        "after": "Image suivante",
        "save": "Enregistrer les images lues dans un tableau (CSV)",
        "saved_help": "Le tableau a une ligne par image que vous avez lue. breastai evaluate --predictions FICHIER.csv dit "
        "dans quelle mesure le modèle est d’accord avec vous.",
        "nothing_judged": "Aucune image n’a encore été lue\u00a0: choisissez une classe pour au moins une image.",
        "judged": "Lues\u00a0: {judged} sur {count}.",
        "place": "Image {number} sur {count}\u00a0: {file}",
        "says": "{label}, avec une probabilité de {probability}.",
        "called": "Sa probabilité atteint le seuil de décision de {target_class} ({threshold}), choisi sur les images de "
        "validation.",
        "not_called": "La probabilité de {target_class} ({target_probability}) est sous son seuil de décision ({threshold}), "
        "choisi sur les images de validation.",
        "plausible": "Classes plausibles\u00a0: {plausible}.",
        "refer_several_classes": "À faire lire par un humain\u00a0: le modèle n’est pas assez sûr (possibles\u00a0: "
        "{plausible}).",
        "refer_answer_not_plausible": "À faire lire par un humain\u00a0: la réponse ne fait pas partie des classes plausibles "
        "({plausible}).",
        "refer_modality": "À faire lire par un humain\u00a0: l’en-tête DICOM indique {modality}, et le modèle a appris sur des "
        "images {known}.",
        "refer_no_class": "À faire lire par un humain\u00a0: aucune classe n’est assez plausible.",
        "refer_unlike": "À faire lire par un humain\u00a0: l’image ne ressemble pas à celles sur lesquelles le modèle a été "
        "validé.",
        "unread": "Pas de réponse\u00a0: {reason}.",
        "ok": "répondu",
        "refer": "à faire lire par un humain",
        "failed": "non lue",
        "too_many": "Au plus {most} images à la fois\u00a0; le modèle a été interrogé sur les {most} premières.",
        "model": "Modèle\u00a0: {name}, {architecture}, classes {classes}.",
    },
}


def language_of(accepted: str | None) -> Language:
    """Return the language of a browser by its header Accept-Language: the first of ours that it names, else English."""
    for part in (accepted or "").lower().split(","):
        name = part.partition(";")[0].strip().partition("-")[0]
        if name in ("en", "fr"):
            return "fr" if name == "fr" else "en"
    return "en"


def share(value: float, language: Language) -> str:
    """Return a fraction of 1 in per cent, as the language writes it."""
    text = f"{100 * value:.1f}"
    return f"{text.replace('.', ',')}\u00a0%" if language == "fr" else f"{text} %"
