"""The case store: names, what was asked of whom, and what they answered. The only place where a learner has a name."""

from alerts.cases.store import CaseStore

__all__ = ["CaseStore"]
