"""What the pages show of a run, as plain data: nothing is drawn here."""
