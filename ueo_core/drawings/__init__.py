"""The built-in world: a renderer of simple things, the sample problem, the teaching models."""
