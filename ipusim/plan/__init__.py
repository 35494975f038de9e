"""How each op is split over the tiles."""
