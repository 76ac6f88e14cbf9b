"""How good a ranking, its probabilities and the alerts it leads to are, with intervals by learner."""
