"""OOD scores, metrics, thresholds and the rule of the safety check, as functions of arrays."""
