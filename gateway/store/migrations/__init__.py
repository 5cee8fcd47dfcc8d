"""The schema's history, one linear line of Alembic revisions, each named expand or contract.

A release's migrations leave a schema on which the previous release's code still runs.
"""
