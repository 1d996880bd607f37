"""Names of places and times: hospitals, devices, published sets, cities, countries and years, as folders are called after them."""

import re

from breastai.domain.accents import without_accents

_YEAR = re.compile(
    r"(?:years?|annees?|jahre?|anos?|anno|anni)?[\W_]*(?:19|20)\d\d"
    r"(?:[\W_]*(?:q|t|s|h|w|m)?[\W_]?\d{1,2}|[\W_]*(?:19|20)\d\d|[\W_]+(?:[a-z]{3,9}))?",
)
# At the beginning of a name, as a word of its own or before a number.
_PLACE = re.compile(
    r"(?:sites?|cent(?:er|re|ro|rum)|zentrum|hospitals?|hosp|hopital|hopitaux|klinik(?:um)?|clini[cq]\w*|clinica|universi\w*|uniklinik\w*|"
    r"institut\w*|istituto|krankenhaus|spital|ospedale|szpital|ziekenhuis|sygehus|sykehus|sjukhus|policlinico|ch[ur]|chru|chuv|"
    r"hug|hcl|ap[\W_]?hp|umc|nhs|trust|praxis|cabinet|radiologie|department|dept|abteilung|service|ward|city|ville|stadt|countr(?:y|ies)|pays|"
    r"region|devices?|geraet|gerat|appareil|scanner|machine|vendor|manufacturer|constructeur|hersteller|ge|siemens|philips|hologic|"
    r"lorad|fuji(?:film)?|canon|toshiba|hitachi|aloka|samsung|medison|mindray|esaote|aixplorer|supersonic|ultrasonix|agfa|carestream|"
    r"kodak|planmed|giotto|ims|selenia|senographe|mammomat|logi[qc]\w*|voluson|acuson|resona|epiq|affiniti|cohorte?n?|batch|"
    r"busi|mias|ddsm|cbis|inbreast|cmmd|vindr|rsna|busbra|udiat|breakhis|optimam|dmid|embed|gdph|sysucc|csaw|bcdr|kau|"
    r"internal|external|interne|externe|intern|extern)"
    r"(?![^\W\d_])|.*\b(?:data[\W_]*(?:sets?|bases?)|hospital|hopital|klinik|klinikum|clinic|clinique|clinica|center|centre|university|universite)\b",
)
# Towns with large hospitals, and countries, in the spellings of their own language and of English, without accents.
_WORDS = """
aachen aarhus abudhabi accra africa afrique ahmedabad aixenprovence alexandria alger algeria algerie algiers
allemagne almaty america amerique amiens amman amsterdam angers ankara annecy antalya antwerp antwerpen anvers
argentina argentine asia asie athenes athens atlanta auckland augsburg australia austria autriche avignon baghdad
bale baltimore bangalore bangkok bangladesh barcelona barcelone bari basel beijing beirut belfast belgique belgium
belgrade belohorizonte bergen berlin bern berne besancon beyrouth bilbao birmingham bochum bogota bologna bologne
bonn bordeaux boston brasil bratislava brazil bremen bresil brest brisbane bristol brno brussels bruxelles bucarest
bucharest budapest buenosaires bulgaria caen cairo calgary cambridge canada canberra capetown caracas cardiff
casablanca changsha chengdu chennai chicago chile chili china chine chongqing clermontferrand cleveland cluj cologne
colombia copenhagen copenhague cordoba cork cracow croatia cyprus czechia dakar dalian dallas damascus danemark
delhi denmark denver detroit deutschland dhaka dijon doha dortmund dresden dubai dublin duesseldorf dundee
dusseldorf east edinburgh egypt egypte eindhoven england erlangen espagne espana essen est estonia ethiopia europe
finland firenze florence france frankfurt freiburg fukuoka gand gdansk geneva geneve genf genoa genova gent germany
ghana ghent giza glasgow goettingen goteborg gothenburg gottingen granada graz grece greece grenoble groningen
guadalajara guangzhou halle hambourg hamburg hangzhou hannover hanoi harbin heidelberg helsinki hiroshima hochiminh
hongkong houston hungary hyderabad ibadan inde india indonesia innsbruck iran iraq ireland irlande israel istanbul
italia italie italy izmir jaipur jakarta japan japon jeddah jena jerusalem johannesburg jordan kabul kampala karachi
kathmandu kenya kiel kiev koeln kolkata koln korea krakow kualalumpur kyiv kyoto lagos lahore lausanne lebanon
lecaire leeds leicester leiden leipzig leuven liban liege lille lima limoges linz lisboa lisbon lisbonne lithuania
liverpool ljubljana lodz london londres losangeles louvain lucknow luxembourg lyon lyons maastricht madrid mainz
malaga malaysia malmo manchester manila mannheim mansoura marburg maroc marrakech marseille mashhad medellin
melbourne metz mexico mexicocity miami milan milano minsk monterrey montpellier montreal morocco moscou moscow
muenchen muenster mulhouse mumbai munchen munich munster nagoya nairobi nancy nanjing nantes naples napoli nederland
netherlands newcastle newdelhi newyork newzealand nice nigeria nijmegen nimes nord north norvege norway norwich
nottingham nuremberg nurnberg odense orleans osaka oslo ottawa ouest oxford padova padua pakistan palermo palma
pamplona paris patna paysbas perth peru perugia philadelphia philippines pisa pittsburgh plymouth poitiers poland
pologne polska porto portoalegre portugal poznan prague praha pretoria pune qingdao quebec quito rabat recife
regensburg reims rennes riga rio riodejaneiro riyadh roma romania rome rosario rostock rotterdam rouen roumanie
russia russie sacramento saintetienne salamanca salvador salzburg sandiego sanfrancisco santiago saopaulo sapporo
sarajevo saudiarabia schweiz scotland seattle senegal seoul serbia sevilla seville sfax shanghai sheffield shenyang
shenzhen shiraz singapore skopje slovakia slovenia sofia south southafrica southampton spain stlouis stockholm
strasbourg stuttgart sud suede suisse suzhou sweden switzerland sydney szeged tabriz taipei taiwan tallinn tampere
tartu tashkent tbilisi tehran telaviv thailand thessaloniki tianjin tirana tokyo torino toronto toulon toulouse
tours trieste tripoli tromso trondheim tubingen tuebingen tunis tunisia tunisie turin turkey turku turquie uganda uk
ukraine ulm umea unitedkingdom uppsala usa utrecht valence valencia valparaiso vancouver venice verona vienna vienne
vietnam vilnius wales warsaw warszawa washington west wien wroclaw wuerzburg wuhan wurzburg xian yaounde yerevan
yokohama york zagreb zaragoza zuerich zurich
"""
_TOWNS_AND_COUNTRIES = frozenset(_WORDS.split())


def names_year(name: str) -> bool:
    """Return whether a name is a year, perhaps with a month, a quarter or a second year: 2019, 2019-03, 2019_Q2."""
    return _YEAR.fullmatch(without_accents(name.strip())) is not None


def names_place(name: str) -> bool:
    """Return whether a name is that of a town, a country, a hospital, a device, or a published set."""
    plain = without_accents(name.strip())
    return re.sub(r"[\W\d_]", "", plain) in _TOWNS_AND_COUNTRIES or _PLACE.match(plain) is not None
