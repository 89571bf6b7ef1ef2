"""Studies in simulated time: the real driver, search and ledger, without torch and Ray."""
