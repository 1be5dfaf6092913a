"""What the pages show of a run, as plain data: pure functions, no drawing, no torch.

`live` reads a snapshot, `inspection` a finished run's folder; `separation`, `classes`,
`gallery` and `verdict` compute on labels, cosines and scores.
"""
