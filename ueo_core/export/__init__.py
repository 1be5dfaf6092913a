"""What leaves the studio: predictions and models in the formats of other tools."""
