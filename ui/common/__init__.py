"""What the pages share: the frame, charts, image grids, progress."""
