"""The check of a GPU: its results compared with the CPU's, and the time of each part of a step."""
