"""Results as pages that need nothing else: one HTML file, offline, readable without JavaScript."""
