"""The benchmark: the studio's step and whole adaptation against a plain one, in one run."""
