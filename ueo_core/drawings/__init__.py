"""The built-in drawings: a renderer of simple objects, the sample problem, the teaching models."""
