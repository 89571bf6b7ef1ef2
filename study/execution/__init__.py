"""Execution: lanes, running, resuming, submitting. The only place that imports ray.

Nothing is imported here, so that checking and sampling do not pay for ray, nor lanes for torch.
"""
