"""Backbones, the adapted CLIP model, its prompt learner and faster forms of its parts."""
