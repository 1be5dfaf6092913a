"""A measurement: many viewers of one page, without browsers."""
