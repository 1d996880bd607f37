"""What is wrong with a setting, in English as problems.py and the models say it, put into French by pattern.

A pattern and its French as in sentences.py. What comes after "expected " is looked up without that word.
"""

FAULTS_FR = (
    (r"the whole", "l’ensemble"),
    (r"one of (.*)", "l’une de ces valeurs\u00a0: {}"),
    (r"('.*') or ('[^']*')", "{} ou {}"),
    (r"a valid boolean, unable to interpret input", "true ou false"),
    (r"a valid boolean", "true ou false"),
    (r"a valid string", "un texte"),
    (r"a valid list", "une liste"),
    (r"a valid dictionary(?: or instance of \w+)?", "un objet JSON"),
    (r"string should have at least (\d+) characters?", "au moins {} caractère"),
    (r"string should have at most (\d+) characters?", "au plus {} caractères"),
    (r"list should have at least (\d+) items? after validation, not \d+", "au moins {} élément"),
    (r"list should have at most (\d+) items? after validation, not \d+", "au plus {} éléments"),
    (r"null, a pattern such as (.*) or (.*)", "null, un motif tel que {} ou {}"),
    (r"null, a folder or an http\(s\) address", "null, un dossier ou une adresse http(s)"),
    (
        r"a folder such as mlflow, or an address that begins with http:// or https://",
        "un dossier tel que mlflow, ou une adresse commençant par http:// ou https://",
    ),
    (r"this address names no server", "cette adresse ne désigne aucun serveur"),
    (
        r"a password does not belong here, where every record of the run would keep it; set (\w+) and (\w+) in the server's environment",
        "un mot de passe n’a pas sa place ici, où chaque trace de l’entraînement le garderait\u00a0; indiquez {} et {} dans l’environnement du serveur",
    ),
    (
        r"an address that leads through another one \(::\) is not followed",
        "une adresse qui passe par une autre (::) n’est pas suivie",
    ),
    (
        r"passwords, keys and signatures do not belong in an address, where every record of the run would keep them; set them in the environment of whoever reads, as the storage's own tools have it",
        "mots de passe, clés et signatures n’ont pas leur place dans une adresse, où chaque trace de l’entraînement les garderait\u00a0; indiquez-les dans l’environnement de qui lit, comme le font les outils du stockage",
    ),
    (
        r"this address names nothing; expected for example s3://bucket/folder",
        "cette adresse ne désigne rien\u00a0; par exemple s3://bucket/dossier",
    ),
    (r"an address such as s3://bucket/folder", "une adresse telle que s3://bucket/dossier"),
    (
        r"an address has no empty parts and none that is \. or \.\.",
        "une adresse n’a pas de partie vide, ni de partie . ou ..",
    ),
    (r"either low and high, or choices", "soit low et high, soit choices"),
    (r"choices that are all different, without log", "des choix tous différents, sans log"),
    (r"low and high, low being the smaller", "low et high, low étant le plus petit"),
    (r"a low above 0, as log is on", "un low supérieur à 0, puisque log est activé"),
    (r"a value to begin tuning from", "une valeur d’où partir"),
    (r"string should match pattern '(.*)'", "un texte de la forme {}"),
    (
        r"(\S+) can't be tuned: expected a setting of (.*) that does not change how trials are judged, or (\S+) or (\S+)",
        "{} ne peut pas être exploré\u00a0: il faut un réglage de {} qui ne change pas la façon dont les essais sont jugés, ou bien {} ou {}",
    ),
    (r"(\S+) stands there twice", "{} y figure deux fois"),
    (r"(\S+) is no number: expected choices", "{} n’est pas un nombre\u00a0: indiquez des choices"),
    (
        r"last for (\S+), whose stages give no feature maps to attend to",
        "last pour {}, dont les étages ne donnent pas de cartes auxquelles appliquer l’attention",
    ),
    (
        r"false for (\S+), whose blocks can't be computed again",
        "false pour {}, dont les blocs ne peuvent pas être recalculés",
    ),
    (r"a data\.split_file, which names the images", "un data.split_file, qui nomme les images"),
)
