"""Lanes on Ray: warm worker groups that run trial after trial. The only room that imports ray."""
