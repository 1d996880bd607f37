"""Metrics of weighted cases: the arrays that the formulas of domain.metric_catalog are made of."""
