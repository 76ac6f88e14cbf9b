"""Says whether the support helped: arms, experiments, value added, insertion, indicators."""
