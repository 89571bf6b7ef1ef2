"""What a trained trial is like: numbers and pictures beyond its score.

Each module has one subject: functions that compute arrays, functions that draw them, and
`diagnose`, which does both for a trial. `study.diagnostics.catalogue.DIAGNOSTICS` lists them.
"""
