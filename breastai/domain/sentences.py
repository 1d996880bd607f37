"""Sentences that jobs and records say in English, put into French by pattern: what an old journal says is understood too."""

import re
from collections.abc import Sequence

from breastai.domain.fault_sentences import FAULTS_FR
from breastai.domain.progress_sentences import PLAN_FR, PROGRESS_FR
from breastai.domain.reason_sentences import REASONS_FR

# A pattern of the whole sentence, as Python and JavaScript both read it, and its French, with a {} for each group in
# their order. A group that is a sentence of its own is put into French as well. The first that fits counts.
Sentences = Sequence[tuple[str, str]]

# What a reader must know to believe the figures of an evaluation.
_NOTES = (
    (r"The model's own split: (.*)\.", "Répartition du modèle\u00a0: {}."),
    (
        r"(\d+) of these images also trained the model, so the results are optimistic\.",
        "{} de ces images ont aussi servi à entraîner le modèle\u00a0: les résultats sont optimistes.",
    ),
    (
        r"(\d+) of these images were also used to choose the best epoch, the calibration, the threshold and when to refer, so the results are optimistic\.",
        "{} de ces images ont aussi servi à choisir la meilleure époque, la calibration, le seuil de décision et les renvois\u00a0: les résultats sont optimistes.",
    ),
    (
        r"(\d+) of these images show patients \((\d+)\) whose other images trained the model: results on them look better than they are\.",
        "{} de ces images montrent des patients ({}) dont d’autres images ont entraîné le modèle\u00a0: les résultats sur elles paraissent meilleurs qu’ils ne sont.",
    ),
    (
        r"(\d+) of these images show patients \((\d+)\) whose other images chose its best epoch: results on them look better than they are\.",
        "{} de ces images montrent des patients ({}) dont d’autres images ont servi à choisir sa meilleure époque\u00a0: les résultats sur elles paraissent meilleurs qu’ils ne sont.",
    ),
    (
        r"(\d+) of these images are near-duplicates of images that trained the model: results on them look better than they are\.",
        "{} de ces images sont des doublons d’images qui ont entraîné le modèle\u00a0: les résultats sur elles paraissent meilleurs qu’ils ne sont.",
    ),
    (
        r"(\d+) of these images are near-duplicates of images that chose its best epoch: results on them look better than they are\.",
        "{} de ces images sont des doublons d’images qui ont servi à choisir sa meilleure époque\u00a0: les résultats sur elles paraissent meilleurs qu’ils ne sont.",
    ),
    (
        r"This checkpoint keeps no fingerprints of its images: near-duplicates of them, and other images of their patients, could not be looked for\.",
        "Ce modèle ne garde pas d’empreintes de ses images\u00a0: leurs doublons et les autres images de leurs patients n’ont pas pu être cherchés.",
    ),
    (
        r"Near-duplicates of the model's own images could not be looked for: its fingerprints are of another kind\.",
        "Les doublons des images du modèle n’ont pas pu être cherchés\u00a0: ses empreintes sont d’un autre type.",
    ),
    (
        r"Patients could not be compared with those of the model: it comes from a project with another salt\.",
        "Les patients n’ont pas pu être comparés à ceux du modèle\u00a0: il vient d’un projet dont le sel est différent.",
    ),
    (
        r"The probabilities are not calibrated: this checkpoint keeps no decision rule\.",
        "Les probabilités ne sont pas calibrées\u00a0: ce point de contrôle ne contient pas de règle de décision.",
    ),
    (
        r"This checkpoint can't tell images unlike those it was judged on: none is referred for that\.",
        "Ce point de contrôle ne sait pas reconnaître les images différentes de celles sur lesquelles il a été jugé\u00a0: aucune n’est renvoyée pour cela.",
    ),
    (
        r"Patients are unknown: several images of one patient count as independent cases\.",
        "Les patientes sont inconnues\u00a0: plusieurs images d’une patiente comptent comme des cas indépendants.",
    ),
    (
        r"These images have now been judged (\d+) times in this workspace: whoever chose by the figures before will find the next ones too good\.",
        "Ces images ont maintenant été évaluées {} fois dans cet espace de travail\u00a0: si l’on a choisi d’après les résultats précédents, les suivants seront trop favorables.",
    ),
    (
        r"(.*): (\d+) of these images trained or chose it: the figures flatter it\.",
        "{}\u00a0: {} de ces images ont servi à l’entraîner ou à le choisir\u00a0: les résultats sont trop favorables.",
    ),
    (
        r"The predictions are judged as they are: nothing is known of how the model was made, nor on what\.",
        "Les prédictions sont jugées telles quelles\u00a0: on ne sait ni comment le modèle a été fait, ni sur quelles images.",
    ),
    (
        r"The tables are matched row by row, since they do not both have a column file\.",
        "Les tableaux sont appariés ligne à ligne, faute d’une colonne file dans les deux.",
    ),
    (
        r"(\d+) runs; every image is held out once(?: in each of 1 repeats)?\.",
        "{} entraînements\u00a0; chaque image est mise de côté une fois.",
    ),
    (
        r"(\d+) runs; every image is held out once in each of (\d+) repeats\.",
        "{} entraînements\u00a0; chaque image est mise de côté une fois dans chacune des {} répétitions.",
    ),
    (
        r"Patients are unknown: groups of duplicates alone were kept together\.",
        "Les patientes sont inconnues\u00a0: seuls les groupes de doublons sont restés ensemble.",
    ),
    (
        r"Images were dealt one by one: those of a patient and duplicates stand on both sides, and the figures flatter\.",
        "Les images ont été réparties une à une\u00a0: celles d’une même patiente et les doublons sont des deux côtés, et les résultats sont trop favorables.",
    ),
    (
        r"Settings were chosen inside the folds: each fold searched for its own by trials on a part of the images it learns from, without its held-out part and its validation images\. The figures judge the search and training together\.",
        "Les réglages ont été choisis à l’intérieur des plis\u00a0: chaque pli a cherché les siens par des essais sur une partie des images dont il apprend, sans sa partie mise de côté ni ses images de validation. Les résultats jugent ensemble la recherche et l’entraînement.",
    ),
    (r"(\d+) images were left out because of twins\.", "{} images ont été écartées à cause de doublons."),
    (
        r"(\d+) images were left out because of twins or patients elsewhere\.",
        "{} images ont été écartées à cause de doublons ou de patientes présentes ailleurs.",
    ),
    (
        r"(This part was held out from the run and is judged|Each part was held out and judged) once, by the run's best epoch\. Best epoch, early stopping, calibration and operating point were chosen on validation images set aside from the other folds\.",
        "{} une seule fois, par la meilleure époque de l’entraînement. La meilleure époque, l’arrêt anticipé, la calibration et le point de fonctionnement ont été choisis sur des images de validation mises de côté dans les autres plis.",
    ),
    (
        r"This part was held out from the run and is judged",
        "Cette partie a été tenue à l’écart de l’entraînement et est jugée",
    ),
    (r"Each part was held out and judged", "Chaque partie a été tenue à l’écart puis jugée"),
    (r"The run's own split: (.*)\.", "Répartition de l’entraînement\u00a0: {}."),
)
# How images were split.
_SPLITS = (
    (
        r"(\d+)% set aside for validation by (.*), seed (\d+)(.*)",
        "{}\u00a0% mis de côté pour la validation par {}, graine {}{}",
    ),
    (r"validation images from their own folder(.*)", "images de validation de leur propre dossier{}"),
    (r"whole patients and groups of duplicates", "patientes entières et groupes de doublons"),
    (r"whole patients", "patientes entières"),
    (
        r"whole files and groups of duplicates, which stand in for unknown patients",
        "fichiers entiers et groupes de doublons, qui remplacent les patientes inconnues",
    ),
    (
        r"groups of duplicates, which stand in for unknown patients",
        "groupes de doublons, qui remplacent les patientes inconnues",
    ),
    (r"single images \(patients unknown\)", "images isolées (patientes inconnues)"),
    (r"single images", "images isolées"),
    (
        r"fold (\d+) of (\d+), repeat (\d+) of (\d+), dealt by (.*): (\d+) images held out to judge the run once; of the others (\d+)% chose its epoch and fitted its decision rule, seed (\d+)",
        "pli {} sur {}, répétition {} sur {}, répartition par {}\u00a0: {} images mises de côté pour juger l’entraînement une seule fois\u00a0; parmi les autres, {}\u00a0% ont servi à choisir son époque et à ajuster sa règle de décision, graine {}",
    ),
    (
        r"(\d+) images that one fold learns from, (\d+)% of them to judge trials by, seed (\d+)",
        "{} images dont apprend un pli, dont {}\u00a0% pour juger les essais, graine {}",
    ),
    (
        r"; (\d+) training images left out because of twins(.*)",
        "\u00a0; {} images d’entraînement écartées à cause de doublons{}",
    ),
    (
        r"; (\d+) training images left out because their patients validate or test",
        "\u00a0; {} images d’entraînement écartées car leurs patientes sont en validation ou en test",
    ),
    (
        r"; (\d+) groups of twins were found and nothing was done about them",
        "\u00a0; {} groupes de doublons trouvés, sans que rien ne soit fait",
    ),
)
# Why a file on shared storage has no copy here.
_COPIES = (
    (r"a link; links are not followed", "un lien\u00a0; les liens ne sont pas suivis"),
    (r"it has a name that no file here can have", "elle a un nom qu’aucun fichier ne peut porter ici"),
    (r"(\d+) bytes of it arrived, (\d+) were expected", "{} octets en sont arrivés, {} étaient attendus"),
    (
        r"what arrived is not what the storage says it holds",
        "ce qui est arrivé n’est pas ce que le stockage dit contenir",
    ),
    (r"it is no longer there", "elle n’y est plus"),
    (r"it was not sent to this page", "elle n’a pas été envoyée à cette page"),
    (r"the storage does not let it be read", "le stockage ne la laisse pas lire"),
    (r"it could not be copied \((.*)\)", "elle n’a pas pu être copiée ({})"),
)
# Why a file is no image that can be used.
_IMAGES = (
    (r"the file has (.*) GiB, more than (\d+) GiB", "le fichier fait {} Gio, plus de {} Gio"),
    (r"the file can't be opened \((.*)\)", "le fichier ne peut pas être ouvert ({})"),
    (r"the file is empty \(0 bytes\)", "le fichier est vide (0 octet)"),
    (
        r"the file is cut short \(truncated\); copy it again from its source",
        "le fichier est tronqué\u00a0; recopiez-le depuis sa source",
    ),
    (r"there is not enough memory to decode it", "la mémoire ne suffit pas pour la décoder"),
    (r"its data are damaged \((.*)\)", "ses données sont endommagées ({})"),
    (r"it has (\d+) x (\d+) pixels, more than (\d+) million", "elle a {} × {} pixels, plus de {} millions"),
    (r"it has more than (\d+) million pixels", "elle a plus de {} millions de pixels"),
    (
        r"it is (?:an?|the) (.*), which is not supported; save it as PNG",
        "format non pris en charge ({})\u00a0; enregistrez-la en PNG",
    ),
    (
        r"it is (.*), which is not supported; save it as PNG",
        "format non pris en charge ({})\u00a0; enregistrez-la en PNG",
    ),
    (
        r"it begins as a (\w+) image, but its header is damaged or cut short",
        "elle commence comme une image {}, mais son en-tête est endommagé ou tronqué",
    ),
    (
        r"it is a kind of TIFF that can't be read; save it as 8-bit or 16-bit PNG",
        "c’est une variante de TIFF illisible\u00a0; enregistrez-la en PNG 8 ou 16 bits",
    ),
    (r"it is not an image of a known format", "ce n’est pas une image d’un format connu"),
    (r"its content is text, not an image", "son contenu est du texte, pas une image"),
    (
        r"it is a kind of 16-bit colour image that can't be read; save it with 8 bits",
        "c’est une image couleur 16 bits d’une variante illisible\u00a0; enregistrez-la en 8 bits",
    ),
    (
        r"its colour mode (.*) is not supported; save it as PNG",
        "son mode de couleur {} n’est pas pris en charge\u00a0; enregistrez-la en PNG",
    ),
    (
        r"it has values below zero; save it as 8-bit or 16-bit PNG",
        "elle contient des valeurs négatives\u00a0; enregistrez-la en PNG 8 ou 16 bits",
    ),
    (
        r"its floating-point values run from (.*) to (.*), where 0 to 1 is expected; save it as 8-bit or 16-bit PNG",
        "ses valeurs flottantes vont de {} à {}, alors que 0 à 1 est attendu\u00a0; enregistrez-la en PNG 8 ou 16 bits",
    ),
    (
        r"frame (\d+) was asked for, and the DICOM file has (\d+)",
        "l’image {} est demandée, et le fichier DICOM en a {}",
    ),
    (r"page (\d+) was asked for, and the file has (\d+)", "la page {} est demandée, et le fichier en a {}"),
    (
        r"it has only (\d+) x (\d+) pixels, too few to show anything",
        "elle n’a que {} × {} pixels, trop peu pour montrer quoi que ce soit",
    ),
    (
        r"it is blank: nearly all its pixels are of one grey",
        "elle est vide\u00a0: presque tous ses pixels ont le même gris",
    ),
    (
        r"Its file has (\d+) pages or frames: one was read, the largest, or of DICOM the middle one\.",
        "Son fichier a {} pages ou images\u00a0: une seule a été lue, la plus grande, ou celle du milieu en DICOM.",
    ),
    (
        r"Its values take (\d+) bits, those of the training images (\d+): what is brighter is white\.",
        "Ses valeurs occupent {} bits, celles des images d’entraînement {}\u00a0: ce qui est plus clair est blanc.",
    ),
    (
        r"Its values take (\d+) bits, those of the training images (\d+): it is far too dark for them\.",
        "Ses valeurs occupent {} bits, celles des images d’entraînement {}\u00a0: elle est bien trop sombre pour elles.",
    ),
    (
        r"Neither its file nor the model says how many of its bits count: (\d+) were taken, by its brightest pixel\.",
        "Ni son fichier ni le modèle n’indiquent combien de ses bits comptent\u00a0: {} ont été retenus, d’après son pixel le plus clair.",
    ),
    (r"the DICOM file holds no image", "le fichier DICOM ne contient pas d’image"),
    (r"its DICOM display attributes can't be used \((.*)\)", "ses attributs d’affichage DICOM sont inutilisables ({})"),
    (r"it is not a readable DICOM file \((.*)\)", "ce n’est pas un fichier DICOM lisible ({})"),
    (r"its pixel data are cut short or damaged", "ses pixels sont tronqués ou endommagés"),
    (r"its transfer syntax (.*) could not be decoded(.*)", "sa syntaxe de transfert {} n’a pas pu être décodée{}"),
    (r"; if the file is sound, this decodes it: (.*)", "\u00a0; si le fichier est sain, ceci le décode\u00a0: {}"),
    (r"there is no such file or folder", "ce fichier ou ce dossier n’existe pas"),
    (r"it changed while it was in use; start again", "elle a changé en cours d’utilisation\u00a0; recommencez"),
    (r"it is no image of this folder", "ce n’est pas une image de ce dossier"),
    (r"there is no such file", "ce fichier n’existe pas"),
    (r"its name is not valid Unicode", "son nom n’est pas de l’Unicode valide"),
    (
        r"a link to another folder; links are not followed",
        "un lien vers un autre dossier\u00a0; les liens ne sont pas suivis",
    ),
    (
        r"it lies beside the class folders, so its class is unknown",
        "il se trouve à côté des dossiers de classes\u00a0: sa classe est inconnue",
    ),
    (r"not an image file", "ce n’est pas un fichier image"),
    (r"its pixels can't be written anew \((.*)\)", "ses pixels ne peuvent pas être réécrits ({})"),
    (r"its pixels take more than (\d+) GiB uncompressed", "ses pixels dépassent {}\u00a0Gio une fois décompressés"),
    (
        r"without what its header says of the patient it would be shown otherwise",
        "sans ce que son en-tête dit du patient, elle s’afficherait autrement",
    ),
    (r"not an image file \(no ending\)", "ce n’est pas un fichier image (sans extension)"),
    (r"not an image file \((.*)\)", "ce n’est pas un fichier image ({})"),
    (r"a link that leads out of the image folder", "un lien qui mène hors du dossier d’images"),
    (r"the folder can't be opened: (.*)", "le dossier ne peut pas être ouvert\u00a0: {}"),
    (r"ZIP archive", "archive ZIP"),
    (r"gzip archive", "archive gzip"),
    (r"JPEG 2000 image", "image JPEG 2000"),
    (r"HEIC or AVIF image", "image HEIC ou AVIF"),
    (r"Photoshop file", "fichier Photoshop"),
    (r"database", "base de données"),
    (r"not a regular file", "ce n’est pas un fichier ordinaire"),
    (r"the folder holds no image", "le dossier ne contient aucune image"),
)
# Of caches, weights, exports and checkpoints.
_FILES = (
    (r"(The image cache .*) (The images of this run .*)", "{} {}"),
    (
        r"The image cache (.*) is not used: (.*)\. Images are kept in memory or decoded again\.",
        "Le cache d’images {} n’est pas utilisé\u00a0: {}. Les images sont gardées en mémoire ou décodées à nouveau.",
    ),
    (r"the disk is full", "le disque est plein"),
    (r"it can't be written \((.*)\)", "il ne peut pas être écrit ({})"),
    (
        r"The images of this run take (.*) GiB in the cache, more than the limit of (.*) GiB\.",
        "Les images de cet entraînement occupent {} Gio du cache, plus que la limite de {} Gio.",
    ),
    (r"random initial weights", "poids initiaux aléatoires"),
    (r"random initial weights, as configured", "poids initiaux aléatoires, comme configuré"),
    (r"ImageNet weights of the package (.*)", "poids ImageNet du paquet {}"),
    (r"(\d+) validation images and (\d+) phantoms", "{} images de validation et {} fantômes"),
    (r"(\d+) phantoms \(the validation images are gone\)", "{} fantômes (les images de validation ont disparu)"),
    (r"its manifest is missing", "son manifeste manque"),
    (r"its manifest can't be read \((.*)\)", "son manifeste est illisible ({})"),
    (
        r"(.*) has changed since it was written \(its sha256 is (.*)\.\.\.\)",
        "{} a changé depuis son écriture (son sha256 est {}…)",
    ),
    (r"(.*) is missing or has changed since it was written", "{} manque ou a changé depuis son écriture"),
    (r"(.*) is missing", "{} manque"),
    (r"its weights do not fit its manifest \((.*)\)", "ses poids ne correspondent pas à son manifeste ({})"),
    (
        r"its manifest promises a novelty that its weights lack",
        "son manifeste annonce une mesure de nouveauté que ses poids n’ont pas",
    ),
    (r"it holds no state to resume from", "il ne contient pas l’état nécessaire à une reprise"),
)

SENTENCES_FR: Sentences = (
    *_NOTES,
    *_SPLITS,
    *_COPIES,
    *_IMAGES,
    *_FILES,
    *PROGRESS_FR,
    *PLAN_FR,
    *FAULTS_FR,
    *REASONS_FR,
)


def in_french(text: str) -> str | None:
    """Return the sentence in French, or None where no words are known."""
    for pattern, french in SENTENCES_FR:
        found = re.fullmatch(pattern, text, re.DOTALL)
        if found is not None:
            return french.format(*(_part(part) if part else "" for part in found.groups()))
    return None


def _part(text: str) -> str:
    """Return a part of a sentence in French: a sentence of its own, a number with its comma, or what it was."""
    return in_french(text) or re.sub(r"^(\d+)\.(\d+)$", r"\1,\2", text)
