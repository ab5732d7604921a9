"""Private names of TRL and torch that training uses, one module per library."""
