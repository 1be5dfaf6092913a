"""The benchmark: the step and the whole adaptation against a plain script, in one run."""
