"""Why something can't be used, as errors tell it in their `reason` or `problems`, put into French by pattern.

A pattern and its French as in sentences.py.
"""

# Of pretrained weights, exported models, studies and nodes.
_MODELS = (
    (r"downloads are switched off", "les téléchargements sont désactivés"),
    (r"the model hub gave nothing \((.*)\)", "le dépôt de modèles n’a rien fourni ({})"),
    (
        r"its tensors have other shapes than this timm release expects",
        "ses tenseurs n’ont pas les dimensions attendues par cette version de timm",
    ),
    (r"(\d+) tensors are missing, such as (.*)", "il manque {} tenseurs, dont {}"),
    (r"(\S+) has another shape", "{} a d’autres dimensions"),
    (r"it is not a safetensors file \((.*)\)", "ce n’est pas un fichier safetensors ({})"),
    (r"it was not exported by BreastAI", "il n’a pas été exporté par BreastAI"),
    (r"its graph has other inputs and outputs \((.*), (.*)\)", "son graphe a d’autres entrées et sorties ({}, {})"),
    (r"it carries no reference answers", "il ne contient pas de réponses de référence"),
    (r"its reference answers are of other classes", "ses réponses de référence portent sur d’autres classes"),
    (r"its metadata is damaged \((.*)\)", "ses métadonnées sont endommagées ({})"),
    (r"ONNX Runtime can't load it \((.*)\)", "ONNX Runtime ne peut pas le charger ({})"),
    (
        r"the folds chose different image sizes or ways of preparing images",
        "les plis ont choisi des tailles d’image ou des prétraitements différents",
    ),
    (r"the evaluation of (.*) is gone", "l’évaluation de {} a disparu"),
    (r"(\S+) knows no trial of the run (.*)", "{} ne connaît aucun essai de l’entraînement {}"),
    (r"(\w+\.json): (.*)", "{}\u00a0: {}"),
    (r"(\S.*\.\w+): (expected .*|row \d+: .*)", "{}\u00a0: {}"),
    (r"it has BreastAI (.*), expected (.*)", "il a BreastAI {}, attendu {}"),
)
# Of tables and lists that a user keeps.
_TABLES = (
    (r"row (\d+), column (.*)", "ligne {}, colonne {}"),
    (r"case (\d+), column (.*)", "cas {}, colonne {}"),
    (r"row (\d+)", "ligne {}"),
    (r"column (\w+)", "colonne {}"),
    (
        r"a column label with the true class of each row, for predictions alone can't be judged",
        "une colonne label avec la vraie classe de chaque ligne, car des prédictions seules ne peuvent pas être évaluées",
    ),
    (
        r"column label: expected the true class, got the model's own answers as breastai predict wrote them; put the true class of each row there",
        "colonne label\u00a0: elle contient les réponses du modèle, écrites par breastai predict, et non la vraie classe\u00a0; mettez-y la vraie classe de chaque ligne",
    ),
    (r"a column p_CLASS for each of two classes or more", "une colonne p_CLASSE par classe, pour deux classes ou plus"),
    (r"(.*), with (label|patient_id) (.*) here and (.*) there", "{}, avec {} {} ici et {} là"),
    (r"(.*) as in row (\d+)", "{} comme à la ligne {}"),
    (r"each file once", "chaque fichier une seule fois"),
    (r"a file", "un fichier"),
    (r"each column once", "chaque colonne une seule fois"),
    (r"(\S+) twice", "{} deux fois"),
    (r"a prediction", "une prédiction"),
    (r"the end of the file", "la fin du fichier"),
    (r"(\d+) cells", "{} cellules"),
    (r"a patient", "une patiente"),
    (r"nothing", "rien"),
    (r"none", "aucune"),
    (r"the classes (.*)", "les classes {}"),
    (r"the (\d+) files of (.*), each once", "les {} fichiers de {}, chacun une fois"),
    (r"(\d+) different files", "{} fichiers différents"),
    (r"(\S+) missing", "{} manquant"),
    (r"(\d+) predictions as in (.*)", "{} prédictions comme dans {}"),
    (r"(\S+) as in (\S+)", "{} comme dans {}"),
    (r"probabilities that sum to 1", "des probabilités dont la somme vaut 1"),
    (r"at most (\d+) MiB", "au plus {} Mio"),
    (r"expected at most (\d+) MiB", "au plus {} Mio sont acceptés"),
    (r"the names of the columns", "les noms des colonnes"),
    (r"an empty file", "un fichier vide"),
    (
        r"expected UTF-8 text; save it as CSV UTF-8",
        "ce n’est pas du texte UTF-8\u00a0; enregistrez-le en CSV UTF-8",
    ),
    (r"and (\d+) more", "et {} autres"),
    (r"and more: (\d+) faults in all", "et d’autres\u00a0: {} erreurs en tout"),
    (
        r"expected the images judged in its column file, such as (.*)",
        "sa colonne file doit nommer les images évaluées, par exemple {}",
    ),
    (
        r"expected a column file and one for each subgroup, got (.*)",
        "il faut une colonne file et une par sous-groupe, reçu {}",
    ),
    (
        r"(.*), row (\d+) repeats the file (.*) of row (\d+) and names two patients for it",
        "{}\u00a0: la ligne {} reprend le fichier {} de la ligne {} avec un autre patient",
    ),
    (
        r"(.*), row (\d+) repeats the file (.*) of row (\d+)",
        "{}\u00a0: la ligne {} reprend le fichier {} de la ligne {}",
    ),
    (
        r"row (\d+) says otherwise of (.*) than row (\d+)",
        "la ligne {} dit autre chose de {} que la ligne {}",
    ),
    (r"row (\d+) repeats the file (.*) of row (\d+)", "la ligne {} reprend le fichier {} de la ligne {}"),
    (
        r"row (\d+) says otherwise of (.*) than a row before it",
        "la ligne {} contredit une ligne précédente au sujet de {}",
    ),
    (
        r"the pattern (.*) repeats a group that holds a repetition, which can take for ever",
        "le motif {} répète un groupe qui contient une répétition, ce qui peut durer indéfiniment",
    ),
    (r"the pattern (.*) is not a regular expression \((.*)\)", "le motif {} n’est pas une expression régulière ({})"),
    (r"(.*) is larger than (\d+) MiB", "{} dépasse {} Mio"),
    (r"(.*) can't be opened \((.*)\)", "{} ne peut pas être ouvert ({})"),
    (
        r"(.*) is not UTF-8 text; save it as CSV UTF-8",
        "{} n’est pas du texte UTF-8\u00a0; enregistrez-le en CSV UTF-8",
    ),
    (
        r"(.*) lacks the columns file and patient_id \(it has: (.*)\)",
        "il manque à {} les colonnes file et patient_id (il a\u00a0: {})",
    ),
    (r"(.*) is not readable as CSV \((.*)\)", "{} n’est pas lisible comme CSV ({})"),
    (r"(.*) names two patients for (.*)", "{} nomme deux patientes pour {}"),
    (
        r"(\d+) of its images are missing or changed, (\d+) are new",
        "{} de ses images manquent ou ont changé, {} sont nouvelles",
    ),
    (r"it has the classes (.*)", "elle a les classes {}"),
    (r"it is not a split that BreastAI saved", "ce n’est pas une répartition enregistrée par BreastAI"),
    (r"expected an object \{\.\.\.\}, got (.*)", "un objet JSON est attendu, reçu {}"),
)
# Of backups and files in general.
_ARCHIVES = (
    (r"no such file", "ce fichier n’existe pas"),
    (r"(\S+) does not exist", "{} n’existe pas"),
    (r"it has no (.*)", "elle ne contient pas {}"),
    (
        r"its file \.salt holds no salt; put back the one it had, or delete it",
        "son fichier .salt ne contient pas de sel\u00a0; remettez celui d’origine, ou supprimez-le",
    ),
    (r"it holds more than (\d+) files", "elle contient plus de {} fichiers"),
    (r"(\S+) has more than (\d+) MiB", "{} dépasse {}\u00a0Mio"),
    (r"(\S+) is compressed", "{} est compressé"),
    (
        r"(\S+) unpacks to more than (\d+) times its size",
        "{} dépasse {} fois sa taille une fois décompressé",
    ),
    (r"(\S+) has a line of more than (\d+) MiB", "{} contient une ligne de plus de {}\u00a0Mio"),
    (r"(.*) is no file of a backup", "{} n’est pas un fichier de sauvegarde"),
    (r"(.*) has another size than listed", "{} n’a pas la taille annoncée"),
    (r"(.*) is not what was put in", "{} n’est pas ce qui y a été mis"),
    (
        r"a link in it leads elsewhere, and a backup is not restored through it",
        "un lien y mène ailleurs, et une sauvegarde n’est pas restaurée à travers lui",
    ),
    (r"it can't be read as a zip \((.*)\)", "elle est illisible comme fichier zip ({})"),
    (r"its (.*) can't be read", "son fichier {} est illisible"),
    (r"it holds other files than it lists", "elle contient d’autres fichiers que ceux qu’elle annonce"),
    (r"(.*) changed while it was read", "{} a changé pendant la lecture"),
)

# Of files in an image folder that are no images of a class.
_FOLDERS = (
    (
        r"it lies in a folder of masks or crops \((.*)\)",
        "il se trouve dans un dossier de masques ou de recadrages ({})",
    ),
    (r"its name is that of a mask or crop", "son nom est celui d’un masque ou d’un recadrage"),
    (
        r"its header says that it is a mask or crop \((.*)\)",
        "son en-tête indique que c’est un masque ou un recadrage ({})",
    ),
    (
        r"it has two grey values only, and the name of another image: a mask",
        "il n’a que deux niveaux de gris et le nom d’une autre image\u00a0: c’est un masque",
    ),
    (
        r"it has two grey values only: a mask, not an image",
        "elle n’a que deux niveaux de gris\u00a0: un masque, pas une image",
    ),
    (r"the folders (.*) and (\d+) files such as (.*)", "les dossiers {} et {} fichiers comme {}"),
    (r"the folders (.*)", "les dossiers {}"),
    (r"(\d+) files such as (.*)", "{} fichiers comme {}"),
)

REASONS_FR = (*_MODELS, *_TABLES, *_ARCHIVES, *_FOLDERS)
