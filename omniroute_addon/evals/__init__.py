"""Evals: suites of questions with what must be answered, asked of targets through the gateway, and scorecards over time."""
