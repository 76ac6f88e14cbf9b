"""The advisors' page: today's list, a case, what came of a call. Works without JavaScript."""
