"""Words: the vocabulary every other part of BreastAI speaks. Pure: standard library and pydantic."""
