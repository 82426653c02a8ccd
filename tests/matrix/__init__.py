"""Recorded traffic against every pair of formats, measured."""
