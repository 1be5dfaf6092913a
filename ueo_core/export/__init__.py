"""What leaves the studio: sorted folders, a script for plain open_clip."""
