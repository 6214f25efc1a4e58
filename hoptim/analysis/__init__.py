"""Read-only questions about a study: ancestry, schedules, ranking, and how a run stands."""
