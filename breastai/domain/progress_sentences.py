"""Sentences of jobs at work in English, put into French by pattern: how far they are, and the plan of this machine.

A pattern and its French as in sentences.py, which is where they are looked up.
"""

# What a fold, a repeat or a trial says of its own run begins with its name.
_MEMBERS = (
    (
        r"(.*): judging the part held out, (\d+) of (\d+) images",
        "{}\u00a0: évaluation de la partie mise de côté, {} images sur {}",
    ),
    (r"(Fold \d+ of \d+|Repeat \d+ of \d+, fold \d+ of \d+|Trial \d+ of \d+|Seed \d+): (.*)", "{}\u00a0: {}"),
    (r"Fold (\d+) of (\d+)", "Pli {} sur {}"),
    (r"Repeat (\d+) of (\d+), fold (\d+) of (\d+)", "Répétition {} sur {}, pli {} sur {}"),
    (r"Trial (\d+) of (\d+)", "Essai {} sur {}"),
    (r"Seed (\d+)", "Graine {}"),
)
PROGRESS_FR = (
    *_MEMBERS,
    (r"Listing the images at (.*)", "Inventaire des images à l’adresse {}"),
    (r"Copying images from (.*): (\d+) of (\d+)", "Copie des images depuis {}\u00a0: {} sur {}"),
    (r"Reading images", "Lecture des images"),
    (r"Reading images: (\d+) of (\d+)", "Lecture des images\u00a0: {} sur {}"),
    (r"Reading predictions", "Lecture des prédictions"),
    (
        r"Looking for images the model has seen: (\d+) of (\d+) %",
        "Recherche d’images que le modèle a déjà vues\u00a0: {} sur {}\u00a0%",
    ),
    (r"Reading predictions: (\d+) of (\d+)", "Lecture des prédictions\u00a0: {} sur {}"),
    (r"Computing results", "Calcul des résultats"),
    (r"Computing results: (\d+) of (\d+) parts", "Calcul des résultats\u00a0: {} parties sur {}"),
    (r"Saving the evidence", "Enregistrement des preuves"),
    (r"Looking for duplicates and faults", "Recherche de doublons et de défauts"),
    (
        r"Looking for duplicates and faults: (\d+) of (\d+) %",
        "Recherche de doublons et de défauts\u00a0: {} sur {}\u00a0%",
    ),
    (
        r"Building the network and finding this machine's fastest way",
        "Construction du réseau et recherche du calcul le plus rapide sur cette machine",
    ),
    (r"Finding this machine's fastest way", "Recherche du calcul le plus rapide sur cette machine"),
    (r"Measuring (\S+)", "Mesure de {}"),
    (
        r"Features of the frozen network: (\d+) of (\d+) images",
        "Caractéristiques du réseau gelé\u00a0: {} images sur {}",
    ),
    (r"Epoch (\d+) of (\d+), batch (\d+) of (\d+)", "Époque {} sur {}, lot {} sur {}"),
    (r"Validating: (\d+) of (\d+) images", "Validation\u00a0: {} images sur {}"),
    (r"Evaluating: (\d+) of (\d+) images", "Évaluation\u00a0: {} images sur {}"),
    (r"(\d+) of (\d+) images", "{} images sur {}"),
    (r"Loading the checkpoint", "Chargement du point de contrôle"),
    (r"Loading the model", "Chargement du modèle"),
    (r"Writing the report", "Rédaction du rapport"),
    (r"Writing (\S+)", "Écriture au format {}"),
    (r"Gathering the run's records", "Collecte des données de l’entraînement"),
    (r"Putting the parts held out together", "Mise en commun des parties mises de côté"),
    (r"Exporting the ensemble of the folds", "Exportation de l’ensemble des plis"),
    (r"Waiting for a node of the cluster that is free", "En attente d’un nœud libre de la grappe"),
    (r"Waiting for room on the disk for the journal", "En attente d’espace disque pour le journal"),
    (r"Waiting for room on the disk to write (.*)", "En attente d’espace disque pour écrire {}"),
)

# The plans that were timed against each other; a list of them with their speeds is read from its beginning.
_TIMED = (
    r"channels last, (?:depthwise by the|each layer by its) fastest ways|the same with batch norms joined|"
    r"all depthwise convolutions by our kernels, which compute the batch norms before them|"
    r"channels last, all layers by PyTorch|and those before depthwise convolutions computed by them|plain|\d+ threads"
)
PLAN_FR = (
    (r"Not on the processor: left to PyTorch\.", "Pas sur le processeur\u00a0: laissé à PyTorch."),
    (r"(float32|bfloat16) was asked for\.", "{} a été demandé."),
    (
        r"float32: this processor has no instructions for bf16 matrices\.",
        "float32\u00a0: ce processeur n’a pas d’instructions pour les matrices en bf16.",
    ),
    (
        r"bfloat16: bf16 matrices at (\d+) GFLOP/s, float32 at (\d+)\.",
        "bfloat16\u00a0: {} GFLOP/s pour les matrices en bf16, {} en float32.",
    ),
    (
        r"float32: bf16 matrices at (\d+) GFLOP/s, float32 at (\d+), too small a gain\.",
        "float32\u00a0: {} GFLOP/s pour les matrices en bf16, {} en float32, un gain trop faible.",
    ),
    (
        r"depthwise (\d+)x(\d+) stride (\d+) on (\d+)x(\d+)x(\d+): output by (\w+) in (.*) ms, input gradient by (\w+) in (.*) ms, weight gradient by (\w+) in (.*) ms\.",
        "Convolution par canal {}\u00a0×\u00a0{}, pas de {}, sur {}\u00a0×\u00a0{}\u00a0×\u00a0{}\u00a0: sortie par {} en {}\u00a0ms, gradient de l’entrée par {} en {}\u00a0ms, gradient des poids par {} en {}\u00a0ms.",
    ),
    (
        r"pointwise (\d+) to (\d+) channels on (\d+)x(\d+): output by (\w+) in (.*) ms, input gradient by (\w+) in (.*) ms, weight gradient by (\w+) in (.*) ms\.",
        "Convolution 1\u00a0×\u00a01 de {} à {} canaux, sur {}\u00a0×\u00a0{}\u00a0: sortie par {} en {}\u00a0ms, gradient de l’entrée par {} en {}\u00a0ms, gradient des poids par {} en {}\u00a0ms.",
    ),
    (r"matrix", "produit de matrices"),
    (r"turned", "produit de matrices transposées"),
    (r"by_image", "produits de matrices image par image"),
    (r"kernel", "notre propre code"),
    (r"flipped", "convolution retournée"),
    (r"torch_float32", "PyTorch en float32"),
    (r"torch", "PyTorch"),
    (
        r"To begin with: images a second forward and backward, (\d+) at a time: (.*)\.",
        "Pour commencer\u00a0: images par seconde, aller et retour, {} à la fois\u00a0: {}.",
    ),
    (
        rf"({_TIMED}): images a second forward and backward, (\d+) at a time: (.*)\.",
        "Retenu\u00a0: {}. Images par seconde, aller et retour, {} à la fois\u00a0: {}.",
    ),
    (rf"({_TIMED}) (\d+\.\d), (.*)", "{}\u00a0: {}\u00a0; {}"),
    (rf"({_TIMED}) (\d+\.\d)", "{}\u00a0: {}"),
    (
        r"channels last, depthwise by the fastest ways",
        "canaux en dernier, convolutions par canal de la façon la plus rapide",
    ),
    (
        r"channels last, each layer by its fastest ways",
        "canaux en dernier, chaque couche de la façon la plus rapide",
    ),
    (r"the same with batch norms joined", "de même, avec les normalisations par lot réunies"),
    (
        r"and those before depthwise convolutions computed by them",
        "de même, avec celles qui précèdent les convolutions par canal calculées par celles-ci",
    ),
    (
        r"all depthwise convolutions by our kernels, which compute the batch norms before them",
        "toutes les convolutions par canal par nos noyaux, qui calculent les normalisations par lot qui les précèdent",
    ),
    (r"channels last, all layers by PyTorch", "canaux en dernier, toutes les couches par PyTorch"),
    (r"plain", "PyTorch seul"),
    (r"(\d+) threads", "{} fils d’exécution"),
    (
        r"Not measured yet: the fastest way matters once the whole network learns, and is measured then\.",
        "Pas encore mesuré\u00a0: la façon de calculer compte quand tout le réseau apprend, et sera mesurée à ce moment.",
    ),
    (r"Measuring took (.*) s\.", "La mesure a pris {}\u00a0s."),
)
