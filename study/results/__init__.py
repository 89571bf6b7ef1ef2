"""The ledger of every study: table schemas, storage, appending, querying, leaderboards and plots.

Depends on `study.spec` alone. Import what you need from its modules: nothing is imported here, so
that a query pays for neither pandas nor matplotlib.
"""
