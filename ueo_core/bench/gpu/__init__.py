"""The proof on a GPU: every path against the CPU, and where a step's time goes."""
