"""BreastAI: train breast-image classifiers on an ordinary computer. Research software, not a medical device."""

__version__ = "4.0.0"
